-- Documents of billing runs in test mode. They were issued in a transaction that was
-- rolled back: no number of a series, no entry of the journal, no mark is theirs.
CREATE TABLE billing_test_documents (
    id              TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL,
    subscription_id TEXT NOT NULL REFERENCES billing_subscriptions (id),
    series          TEXT NOT NULL CHECK (series LIKE 'TEST-%'),
    number          BIGINT NOT NULL CHECK (number > 0),
    issued          JSON NOT NULL,
    UNIQUE (series, number)
);
CREATE INDEX billing_test_documents_tenant ON billing_test_documents (tenant_id);
