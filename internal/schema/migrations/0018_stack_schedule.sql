-- When a stack is backed up by itself. An empty cron is a schedule that somebody took
-- away, so that its blueprint's policy does not bring it back. next_at is when it is due.
CREATE TABLE stack_schedules (
    stack_id   TEXT PRIMARY KEY,
    cron       TEXT NOT NULL,
    zone       TEXT NOT NULL,
    keep       JSON NOT NULL,
    actor      TEXT NOT NULL,
    set_at     BIGINT NOT NULL,
    next_at    BIGINT,
    last_at    BIGINT,
    last_saga  TEXT,
    last_error TEXT
);
CREATE INDEX stack_schedules_due ON stack_schedules (next_at);
