-- Differences between a stack and the inventory that nobody wants to hear of until a time.
-- id is a hash of the stack, the resource, the field and the value that it has.
CREATE TABLE stack_drift_ignores (
    id       TEXT PRIMARY KEY,
    stack_id TEXT NOT NULL REFERENCES stacks (id),
    until_at BIGINT NOT NULL,
    reason   TEXT NOT NULL,
    actor    TEXT NOT NULL,
    at       BIGINT NOT NULL
);
