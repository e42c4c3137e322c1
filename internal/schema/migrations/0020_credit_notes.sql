-- Credit notes that somebody issued by hand, and for which invoice. The notes are
-- documents among billing_invoices, whose revision counts down from -1: no bill is
-- worked out to them. lines is what is credited of which line, an array of numbers
-- from 1 and minor units with and of tax.
CREATE TABLE billing_credit_notes (
    note_id    TEXT PRIMARY KEY REFERENCES billing_invoices (id),
    invoice_id TEXT NOT NULL REFERENCES billing_invoices (id),
    total      BIGINT NOT NULL CHECK (total > 0),
    lines      JSON NOT NULL,
    reason     TEXT NOT NULL
);
CREATE INDEX billing_credit_notes_invoice ON billing_credit_notes (invoice_id, note_id);

-- only: sqlite
CREATE TRIGGER billing_credit_notes_bound BEFORE INSERT ON billing_credit_notes
WHEN (SELECT i.total - NEW.total - COALESCE((SELECT SUM(n.total) FROM billing_credit_notes n WHERE n.invoice_id = i.id), 0) < 0 FROM billing_invoices i WHERE i.id = NEW.invoice_id)
BEGIN SELECT RAISE(ABORT, 'no more is credited than was invoiced'); END;
CREATE TRIGGER billing_credit_notes_stay BEFORE UPDATE ON billing_credit_notes BEGIN SELECT RAISE(ABORT, 'a credit note is never changed'); END;
CREATE TRIGGER billing_credit_notes_remain BEFORE DELETE ON billing_credit_notes BEGIN SELECT RAISE(ABORT, 'a credit note is never removed'); END;
-- end
-- only: postgres
CREATE FUNCTION billing_credit_notes_bound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT i.total - NEW.total - COALESCE((SELECT SUM(n.total) FROM billing_credit_notes n WHERE n.invoice_id = i.id), 0) < 0 FROM billing_invoices i WHERE i.id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'no more is credited than was invoiced' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_credit_notes_bound BEFORE INSERT ON billing_credit_notes FOR EACH ROW EXECUTE FUNCTION billing_credit_notes_bound();
CREATE TRIGGER billing_credit_notes_stay BEFORE UPDATE OR DELETE ON billing_credit_notes FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
-- end
