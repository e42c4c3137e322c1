-- What was entered into the journal at the end of a month, beside its invoices.
CREATE TABLE billing_closes (
    month     TEXT PRIMARY KEY,
    closed_at BIGINT NOT NULL,
    closed_by TEXT NOT NULL,
    document  JSON NOT NULL
);
