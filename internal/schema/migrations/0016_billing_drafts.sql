-- Documents that are worked out and not issued yet, as somebody can look at them: what
-- waits for its grace, and what came out otherwise when it was due. They are replaced
-- whenever they come out differently, and go once they are issued.
CREATE TABLE billing_drafts (
    subscription_id TEXT NOT NULL REFERENCES billing_subscriptions (id),
    purpose         TEXT NOT NULL CHECK (purpose IN ('advance','arrears','credit_note')),
    period_from     BIGINT NOT NULL,
    period_to       BIGINT NOT NULL,
    revision        BIGINT NOT NULL,
    tenant_id       TEXT NOT NULL,
    issue_at        BIGINT NOT NULL,
    currency        TEXT NOT NULL,
    total           BIGINT NOT NULL,
    due             BIGINT NOT NULL,
    document        JSON NOT NULL,
    drafted_at      BIGINT NOT NULL,
    PRIMARY KEY (subscription_id, purpose, period_from, period_to, revision)
);
CREATE INDEX billing_drafts_tenant ON billing_drafts (tenant_id, issue_at);

-- Billing runs: how far each is, and what it came to.
CREATE TABLE billing_runs (
    id            TEXT PRIMARY KEY,
    begun_at      BIGINT NOT NULL,
    ended_at      BIGINT,
    up_to         BIGINT NOT NULL,
    actor         TEXT NOT NULL,
    subscriptions BIGINT NOT NULL,
    done          BIGINT NOT NULL,
    issued        BIGINT NOT NULL,
    drafted       BIGINT NOT NULL,
    failed        JSON NOT NULL,
    warnings      JSON NOT NULL
);
