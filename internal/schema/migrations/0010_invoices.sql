-- Money, in double entry: accounts of a tenant or of the house, entries, and postings
-- that add up to nothing for each entry and currency. Rows are only added. An entry's
-- key is of whoever made it: the same cause makes no second entry.
CREATE TABLE journal_entries (
    id          TEXT PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    at          BIGINT NOT NULL,
    entered_at  BIGINT NOT NULL,
    actor       TEXT NOT NULL,
    description TEXT NOT NULL
);
CREATE TABLE journal_postings (
    entry_id  TEXT NOT NULL REFERENCES journal_entries (id),
    line      BIGINT NOT NULL,
    account   TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    currency  TEXT NOT NULL,
    amount    BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, line)
);
CREATE INDEX journal_postings_account ON journal_postings (tenant_id, account, currency);

-- An entry is sealed once its postings are there, and only if they add up to nothing;
-- nothing is added to it after that. Whatever is not sealed counts for nothing.
CREATE TABLE journal_seals (
    entry_id TEXT PRIMARY KEY REFERENCES journal_entries (id)
);

-- only: sqlite
CREATE TRIGGER journal_seals_balance BEFORE INSERT ON journal_seals
WHEN NOT EXISTS (SELECT 1 FROM journal_postings WHERE entry_id = NEW.entry_id)
  OR EXISTS (SELECT 1 FROM journal_postings WHERE entry_id = NEW.entry_id GROUP BY currency HAVING SUM(amount) <> 0)
BEGIN SELECT RAISE(ABORT, 'the postings of an entry add up to nothing in each currency'); END;
CREATE TRIGGER journal_postings_sealed BEFORE INSERT ON journal_postings
WHEN EXISTS (SELECT 1 FROM journal_seals WHERE entry_id = NEW.entry_id)
BEGIN SELECT RAISE(ABORT, 'nothing is added to an entry'); END;
CREATE TRIGGER journal_entries_stay BEFORE UPDATE ON journal_entries BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
CREATE TRIGGER journal_entries_remain BEFORE DELETE ON journal_entries BEGIN SELECT RAISE(ABORT, 'an entry is never removed'); END;
CREATE TRIGGER journal_postings_stay BEFORE UPDATE ON journal_postings BEGIN SELECT RAISE(ABORT, 'a posting is never changed'); END;
CREATE TRIGGER journal_postings_remain BEFORE DELETE ON journal_postings BEGIN SELECT RAISE(ABORT, 'a posting is never removed'); END;
CREATE TRIGGER journal_seals_stay BEFORE UPDATE ON journal_seals BEGIN SELECT RAISE(ABORT, 'a seal is never changed'); END;
CREATE TRIGGER journal_seals_remain BEFORE DELETE ON journal_seals BEGIN SELECT RAISE(ABORT, 'a seal is never removed'); END;
-- end
-- only: postgres
CREATE FUNCTION journal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is in the journal is never changed or removed' USING ERRCODE = 'check_violation';
END $$;
CREATE FUNCTION journal_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM journal_postings WHERE entry_id = NEW.entry_id)
        OR EXISTS (SELECT 1 FROM journal_postings WHERE entry_id = NEW.entry_id GROUP BY currency HAVING SUM(amount) <> 0) THEN
        RAISE EXCEPTION 'the postings of an entry add up to nothing in each currency' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION journal_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal_seals WHERE entry_id = NEW.entry_id) THEN
        RAISE EXCEPTION 'nothing is added to an entry' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_seals_balance BEFORE INSERT ON journal_seals FOR EACH ROW EXECUTE FUNCTION journal_balances();
CREATE TRIGGER journal_postings_sealed BEFORE INSERT ON journal_postings FOR EACH ROW EXECUTE FUNCTION journal_sealed();
CREATE TRIGGER journal_entries_stay BEFORE UPDATE OR DELETE ON journal_entries FOR EACH ROW EXECUTE FUNCTION journal_stays();
CREATE TRIGGER journal_postings_stay BEFORE UPDATE OR DELETE ON journal_postings FOR EACH ROW EXECUTE FUNCTION journal_stays();
CREATE TRIGGER journal_seals_stay BEFORE UPDATE OR DELETE ON journal_seals FOR EACH ROW EXECUTE FUNCTION journal_stays();
-- end

-- The last number of each series, and the hash of the document that has it. The row is
-- locked by who issues: numbers have no gap, and each hash is of all before it.
CREATE TABLE billing_series (
    series    TEXT PRIMARY KEY,
    last      BIGINT NOT NULL,
    last_hash TEXT NOT NULL
);

-- Up to which instant a subscription was billed: what becomes known changes no bill up
-- to then.
CREATE TABLE billing_marks (
    subscription_id TEXT PRIMARY KEY REFERENCES billing_subscriptions (id),
    billed_to       BIGINT NOT NULL
);

-- Documents as they were issued: invoices and credit notes. They are never changed;
-- how it stands with one is in billing_states. revision counts the documents of one
-- purpose and period.
CREATE TABLE billing_invoices (
    id              TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL,
    subscription_id TEXT NOT NULL REFERENCES billing_subscriptions (id),
    purpose         TEXT NOT NULL CHECK (purpose IN ('advance','arrears','credit_note')),
    period_from     BIGINT NOT NULL,
    period_to       BIGINT NOT NULL,
    revision        BIGINT NOT NULL,
    series          TEXT NOT NULL,
    number          BIGINT NOT NULL,
    issue_at        BIGINT NOT NULL,
    issued_at       BIGINT NOT NULL,
    issued_by       TEXT NOT NULL,
    due_at          BIGINT NOT NULL,
    currency        TEXT NOT NULL,
    total           BIGINT NOT NULL,
    due             BIGINT NOT NULL,
    document        JSON NOT NULL,
    parties         JSON NOT NULL,
    previous_hash   TEXT NOT NULL,
    hash            TEXT NOT NULL,
    UNIQUE (series, number),
    UNIQUE (subscription_id, purpose, period_from, period_to, revision)
);
CREATE INDEX billing_invoices_tenant ON billing_invoices (tenant_id, issued_at);

CREATE TABLE billing_states (
    invoice_id TEXT NOT NULL REFERENCES billing_invoices (id),
    seq        BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('issued','paid','void','uncollectible')),
    at         BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (invoice_id, seq)
);

-- only: sqlite
CREATE TRIGGER billing_invoices_stay BEFORE UPDATE ON billing_invoices BEGIN SELECT RAISE(ABORT, 'an invoice is never changed'); END;
CREATE TRIGGER billing_invoices_remain BEFORE DELETE ON billing_invoices BEGIN SELECT RAISE(ABORT, 'an invoice is never removed'); END;
CREATE TRIGGER billing_states_stay BEFORE UPDATE ON billing_states BEGIN SELECT RAISE(ABORT, 'how it stood with an invoice is never changed'); END;
CREATE TRIGGER billing_states_remain BEFORE DELETE ON billing_states BEGIN SELECT RAISE(ABORT, 'how it stood with an invoice is never removed'); END;
-- end
-- only: postgres
CREATE FUNCTION billing_invoices_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an invoice is never changed or removed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER billing_invoices_stay BEFORE UPDATE OR DELETE ON billing_invoices FOR EACH ROW EXECUTE FUNCTION billing_invoices_stay();
CREATE TRIGGER billing_states_stay BEFORE UPDATE OR DELETE ON billing_states FOR EACH ROW EXECUTE FUNCTION billing_invoices_stay();
-- end
