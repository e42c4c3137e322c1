-- Credit of subscriptions whose service has ended, which became credit of the account
-- and pays what is open. Bills know of it since known_at. Rows are only added.
CREATE TABLE billing_releases (
    id              TEXT PRIMARY KEY,
    subscription_id TEXT NOT NULL REFERENCES billing_subscriptions (id),
    amount          BIGINT NOT NULL CHECK (amount > 0),
    known_at        BIGINT NOT NULL,
    released_at     BIGINT NOT NULL,
    released_by     TEXT NOT NULL,
    entry_id        TEXT NOT NULL REFERENCES journal_entries (id)
);
CREATE INDEX billing_releases_subscription ON billing_releases (subscription_id, known_at);

-- only: sqlite
CREATE TRIGGER billing_releases_stay BEFORE UPDATE ON billing_releases BEGIN SELECT RAISE(ABORT, 'a release is never changed'); END;
CREATE TRIGGER billing_releases_remain BEFORE DELETE ON billing_releases BEGIN SELECT RAISE(ABORT, 'a release is never removed'); END;
-- end
-- only: postgres
CREATE TRIGGER billing_releases_stay BEFORE UPDATE OR DELETE ON billing_releases FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
-- end
