-- Credit of accounts that was paid back. key is the bank's reference of it, or the id:
-- what has one key is paid back once. Rows are only added.
CREATE TABLE billing_refunds (
    id          TEXT PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    tenant_id   TEXT NOT NULL REFERENCES billing_customers (tenant_id),
    currency    TEXT NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount > 0),
    refunded_at BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    entry_id    TEXT NOT NULL REFERENCES journal_entries (id)
);
CREATE INDEX billing_refunds_tenant ON billing_refunds (tenant_id, id);

-- only: sqlite
CREATE TRIGGER billing_refunds_stay BEFORE UPDATE ON billing_refunds BEGIN SELECT RAISE(ABORT, 'a refund is never changed'); END;
CREATE TRIGGER billing_refunds_remain BEFORE DELETE ON billing_refunds BEGIN SELECT RAISE(ABORT, 'a refund is never removed'); END;
-- end
-- only: postgres
CREATE TRIGGER billing_refunds_stay BEFORE UPDATE OR DELETE ON billing_refunds FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
-- end
