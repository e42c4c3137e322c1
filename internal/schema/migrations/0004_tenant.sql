-- Whom the product is hosted for. A tenant is never deleted: it is closed.
CREATE TABLE tenants (
    id         TEXT PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    contact    TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('active','suspended','closed')),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Accounts (teams) at DigitalOcean, by our names for them, and what the last
-- check of their tokens found.
CREATE TABLE do_accounts (
    name       TEXT PRIMARY KEY,
    owner      TEXT,
    team       TEXT,
    team_name  TEXT,
    email      TEXT,
    limits     JSON NOT NULL,
    scopes     JSON NOT NULL,
    added_at   BIGINT NOT NULL,
    checked_at BIGINT
);
