-- Blueprints, as they were given. One that a stack was made from never changes.
CREATE TABLE blueprints (
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL,
    source     TEXT NOT NULL,
    hash       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (name, version)
);

-- A tenant's stacks. state is what the last saga that completed left; what is under
-- way, or failed, is what saga_id says.
CREATE TABLE stacks (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('new','active','suspended','gone','failed')),
    level      BIGINT NOT NULL DEFAULT 0 CHECK (level BETWEEN 0 AND 3),
    blueprint  TEXT NOT NULL,
    version    BIGINT NOT NULL,
    parameters JSON NOT NULL,
    spec       JSON NOT NULL,
    saga_id    TEXT NOT NULL,
    rev        BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    gone_at    BIGINT
);
CREATE UNIQUE INDEX stacks_name ON stacks (tenant_id, name) WHERE state <> 'gone' AND state <> 'failed';
CREATE INDEX stacks_account ON stacks (account, state);

-- What a stack has at DigitalOcean, as the saga that made it recorded it.
CREATE TABLE stack_resources (
    stack_id TEXT NOT NULL,
    key      TEXT NOT NULL,
    kind     TEXT NOT NULL,
    urn      TEXT NOT NULL,
    name     TEXT NOT NULL,
    made_by  TEXT NOT NULL,
    PRIMARY KEY (stack_id, key)
);
CREATE INDEX stack_resources_urn ON stack_resources (urn);

-- Plans are what was to be done, with what was read for them; an applied one names
-- its saga.
CREATE TABLE plans (
    id         TEXT PRIMARY KEY,
    verb       TEXT NOT NULL,
    stack_id   TEXT NOT NULL,
    tenant_id  TEXT NOT NULL,
    account    TEXT NOT NULL,
    hash       TEXT NOT NULL,
    document   JSON NOT NULL,
    request    JSON NOT NULL,
    actor      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    applied_at BIGINT,
    applied_by TEXT,
    saga_id    TEXT
);
CREATE INDEX plans_stack ON plans (stack_id, created_at);
CREATE INDEX plans_created ON plans (created_at);

-- While one of these stands, nothing in its scope is changed at DigitalOcean: of
-- everything, of an account, of a tenant.
CREATE TABLE freezes (
    scope  TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    actor  TEXT NOT NULL,
    at     BIGINT NOT NULL
);

-- What must not be destroyed: a tenant's, a stack, a resource.
CREATE TABLE protections (
    subject TEXT PRIMARY KEY,
    reason  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    at      BIGINT NOT NULL
);
