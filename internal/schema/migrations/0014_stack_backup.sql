-- Backups of stacks that were verified: a snapshot of each droplet and each volume.
-- spec is the stack's when it was taken.
CREATE TABLE stack_backups (
    id         TEXT PRIMARY KEY,
    stack_id   TEXT NOT NULL,
    tenant_id  TEXT NOT NULL,
    account    TEXT NOT NULL,
    saga_id    TEXT NOT NULL,
    reason     TEXT NOT NULL CHECK (reason IN ('manual','schedule','safety','final')),
    spec       JSON NOT NULL,
    taken_at   BIGINT NOT NULL,
    expires_at BIGINT,
    deleted_at BIGINT
);
CREATE INDEX stack_backups_stack ON stack_backups (stack_id, taken_at);

CREATE TABLE stack_backup_items (
    backup_id    TEXT NOT NULL,
    key          TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('droplet','volume')),
    snapshot     TEXT NOT NULL,
    marker       TEXT NOT NULL,
    source       TEXT NOT NULL,
    name         TEXT NOT NULL,
    region       TEXT NOT NULL,
    size_gb      TEXT NOT NULL,
    min_disk_gib BIGINT NOT NULL,
    PRIMARY KEY (backup_id, key)
);
