-- DigitalOcean tokens, one per account and purpose. The ciphertext is sealed by
-- the vault under account|purpose|id; the master key is not in the database.
CREATE TABLE do_tokens (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    purpose      TEXT NOT NULL CHECK (purpose IN ('inventory','provisioning','billing')),
    ciphertext   BYTEA NOT NULL,
    last4        TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    UNIQUE (account, purpose)
);
