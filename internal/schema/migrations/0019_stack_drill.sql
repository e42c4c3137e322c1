-- Restores that were tried out beside their stacks.
CREATE TABLE stack_drills (
    id        TEXT PRIMARY KEY,
    stack_id  TEXT NOT NULL,
    backup_id TEXT NOT NULL,
    saga_id   TEXT NOT NULL,
    began_at  BIGINT NOT NULL,
    ready_at  BIGINT,
    ended_at  BIGINT,
    outcome   TEXT NOT NULL CHECK (outcome IN ('running','passed','failed')),
    said      TEXT NOT NULL
);
CREATE INDEX stack_drills_stack ON stack_drills (stack_id, began_at);
CREATE UNIQUE INDEX stack_drills_saga ON stack_drills (saga_id);
