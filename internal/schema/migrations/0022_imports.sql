-- Lines of files that were imported, by the key that the file gives each: the same line
-- is imported once. hash is of what it said; subject is the subscription or the entry
-- of the journal that was made of it.
CREATE TABLE billing_imports (
    kind        TEXT NOT NULL CHECK (kind IN ('subscriptions','balances')),
    key         TEXT NOT NULL,
    hash        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    imported_at BIGINT NOT NULL,
    imported_by TEXT NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Of a payment, what went to a balance that the tenant brought with it.
ALTER TABLE billing_payments ADD COLUMN carried BIGINT NOT NULL DEFAULT 0;
