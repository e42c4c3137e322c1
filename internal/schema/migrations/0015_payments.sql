-- Money that came in at a bank, a line of its statement each. key is the bank's own
-- reference of the line, or what was made of the line: one line is booked once. Rows
-- are only added; a payment that the bank took back has a row in billing_reversals.
CREATE TABLE billing_payments (
    id          TEXT PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    tenant_id   TEXT NOT NULL REFERENCES billing_customers (tenant_id),
    currency    TEXT NOT NULL,
    amount      BIGINT NOT NULL CHECK (amount > 0),
    fee         BIGINT NOT NULL CHECK (fee >= 0 AND fee <= amount),
    paid_at     BIGINT NOT NULL,
    reference   TEXT NOT NULL,
    payer       TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    entry_id    TEXT NOT NULL REFERENCES journal_entries (id)
);
CREATE INDEX billing_payments_tenant ON billing_payments (tenant_id, id);

CREATE TABLE billing_reversals (
    payment_id  TEXT PRIMARY KEY REFERENCES billing_payments (id),
    fee         BIGINT NOT NULL CHECK (fee >= 0),
    reversed_at BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    entry_id    TEXT NOT NULL REFERENCES journal_entries (id)
);

-- What settles invoices, in part or whole: a payment, credit of the account, a credit
-- note, or that it is written off. What was taken back again is below zero. source is
-- the payment or the credit note. What an invoice has open is its amount due less
-- these, and never below nothing or beyond what was due.
CREATE TABLE billing_settlements (
    id         TEXT PRIMARY KEY,
    invoice_id TEXT NOT NULL REFERENCES billing_invoices (id),
    kind       TEXT NOT NULL CHECK (kind IN ('payment','credit','credit_note','write_off')),
    source     TEXT NOT NULL,
    amount     BIGINT NOT NULL CHECK (amount <> 0),
    entry_id   TEXT NOT NULL REFERENCES journal_entries (id),
    at         BIGINT NOT NULL,
    actor      TEXT NOT NULL
);
CREATE INDEX billing_settlements_invoice ON billing_settlements (invoice_id, id);
CREATE INDEX billing_settlements_source ON billing_settlements (source);

-- only: sqlite
CREATE TRIGGER billing_settlements_bound BEFORE INSERT ON billing_settlements
WHEN (SELECT i.due - NEW.amount - COALESCE((SELECT SUM(s.amount) FROM billing_settlements s WHERE s.invoice_id = i.id), 0) NOT BETWEEN 0 AND i.due
      FROM billing_invoices i WHERE i.id = NEW.invoice_id)
BEGIN SELECT RAISE(ABORT, 'an invoice has between nothing and its amount due open'); END;
CREATE TRIGGER billing_payments_stay BEFORE UPDATE ON billing_payments BEGIN SELECT RAISE(ABORT, 'a payment is never changed'); END;
CREATE TRIGGER billing_payments_remain BEFORE DELETE ON billing_payments BEGIN SELECT RAISE(ABORT, 'a payment is never removed'); END;
CREATE TRIGGER billing_reversals_stay BEFORE UPDATE ON billing_reversals BEGIN SELECT RAISE(ABORT, 'a reversal is never changed'); END;
CREATE TRIGGER billing_reversals_remain BEFORE DELETE ON billing_reversals BEGIN SELECT RAISE(ABORT, 'a reversal is never removed'); END;
CREATE TRIGGER billing_settlements_stay BEFORE UPDATE ON billing_settlements BEGIN SELECT RAISE(ABORT, 'a settlement is never changed'); END;
CREATE TRIGGER billing_settlements_remain BEFORE DELETE ON billing_settlements BEGIN SELECT RAISE(ABORT, 'a settlement is never removed'); END;
-- end
-- only: postgres
CREATE FUNCTION billing_settlements_bound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT i.due - NEW.amount - COALESCE((SELECT SUM(s.amount) FROM billing_settlements s WHERE s.invoice_id = i.id), 0) NOT BETWEEN 0 AND i.due
        FROM billing_invoices i WHERE i.id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'an invoice has between nothing and its amount due open' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION billing_payments_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was paid is never changed or removed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER billing_settlements_bound BEFORE INSERT ON billing_settlements FOR EACH ROW EXECUTE FUNCTION billing_settlements_bound();
CREATE TRIGGER billing_payments_stay BEFORE UPDATE OR DELETE ON billing_payments FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
CREATE TRIGGER billing_reversals_stay BEFORE UPDATE OR DELETE ON billing_reversals FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
CREATE TRIGGER billing_settlements_stay BEFORE UPDATE OR DELETE ON billing_settlements FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
-- end

-- An invoice can be paid in part.
-- only: sqlite
ALTER TABLE billing_states RENAME TO billing_states_before;
CREATE TABLE billing_states (
    invoice_id TEXT NOT NULL REFERENCES billing_invoices (id),
    seq        INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('issued','partially_paid','paid','void','uncollectible')),
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (invoice_id, seq)
) STRICT;
INSERT INTO billing_states SELECT invoice_id, seq, state, at, actor, reason FROM billing_states_before;
DROP TABLE billing_states_before;
CREATE TRIGGER billing_states_stay BEFORE UPDATE ON billing_states BEGIN SELECT RAISE(ABORT, 'how it stood with an invoice is never changed'); END;
CREATE TRIGGER billing_states_remain BEFORE DELETE ON billing_states BEGIN SELECT RAISE(ABORT, 'how it stood with an invoice is never removed'); END;
-- end
-- only: postgres
ALTER TABLE billing_states DROP CONSTRAINT billing_states_state_check;
ALTER TABLE billing_states ADD CHECK (state IN ('issued','partially_paid','paid','void','uncollectible'));
-- end
