-- What droplets are told in private when they first start. tenant_id is empty for what
-- every tenant's stacks may name. The ciphertext is sealed by the vault under
-- secret|id|version; the master key is not in the database.
CREATE TABLE secrets (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    ciphertext  BYTEA NOT NULL,
    fingerprint TEXT NOT NULL,
    version     BIGINT NOT NULL,
    actor       TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (tenant_id, name)
);

-- Addresses that a droplet asks once. hash is the SHA-256 of the token in the address,
-- which is kept nowhere. name is the secret's or the probe's. used_at is when the secret
-- was handed out, or the droplet called first; closed_at when the address was revoked.
CREATE TABLE one_time_addresses (
    hash       BYTEA PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('secret','callback')),
    name       TEXT NOT NULL,
    stack_id   TEXT NOT NULL,
    saga_id    TEXT NOT NULL,
    resource   TEXT NOT NULL,
    secret_id  TEXT,
    opened_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    used_from  TEXT,
    closed_at  BIGINT
);
CREATE INDEX one_time_addresses_stack ON one_time_addresses (stack_id);
CREATE INDEX one_time_addresses_saga ON one_time_addresses (saga_id);
