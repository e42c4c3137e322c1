-- Since when a life is known as it is, and what was known of a tenant's resources before:
-- bills are worked out again by what was known then.
ALTER TABLE usage_lifetimes ADD COLUMN known_at BIGINT NOT NULL DEFAULT 0;

CREATE TABLE usage_lifetimes_past (
    urn         TEXT NOT NULL,
    began_at    BIGINT NOT NULL,
    ended_at    BIGINT,
    kind        TEXT NOT NULL,
    size        TEXT NOT NULL,
    monthly     BIGINT,
    tenant_id   TEXT NOT NULL,
    known_at    BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (urn, began_at, known_at)
);
CREATE INDEX usage_lifetimes_past_tenant ON usage_lifetimes_past (tenant_id, began_at);
