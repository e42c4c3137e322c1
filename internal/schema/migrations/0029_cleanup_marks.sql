-- What a clean-up is to delete, and what became of it. A thing is marked by one saga at a
-- time; whoever adopts it, or has it kept, ends the mark, until the saga has claimed it.
CREATE TABLE cleanup_marks (
    saga_id    TEXT NOT NULL,
    urn        TEXT NOT NULL,
    account    TEXT NOT NULL,
    orphan     JSON NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('marked','claimed','spared','deleted')),
    since_at   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    why        TEXT NOT NULL,
    ended_at   BIGINT,
    PRIMARY KEY (saga_id, urn)
);
CREATE UNIQUE INDEX cleanup_marks_open ON cleanup_marks (urn) WHERE state <> 'spared' AND state <> 'deleted';
CREATE INDEX cleanup_marks_since ON cleanup_marks (since_at);
