-- What changed in a subscription beside its plans: the taxes that its charges bear, and
-- coupons that joined it or left it. Bills know of it since recorded_at. Rows are only
-- added.
CREATE TABLE billing_amendments (
    subscription_id TEXT NOT NULL REFERENCES billing_subscriptions (id),
    seq             BIGINT NOT NULL,
    type            TEXT NOT NULL CHECK (type IN ('taxes','coupon','no_coupon')),
    ids             JSON NOT NULL,
    effective_at    BIGINT NOT NULL,
    recorded_at     BIGINT NOT NULL,
    entered_at      BIGINT NOT NULL,
    actor           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    PRIMARY KEY (subscription_id, seq)
);

-- only: sqlite
CREATE TRIGGER billing_amendments_stay BEFORE UPDATE ON billing_amendments BEGIN SELECT RAISE(ABORT, 'an amendment is never changed'); END;
CREATE TRIGGER billing_amendments_remain BEFORE DELETE ON billing_amendments BEGIN SELECT RAISE(ABORT, 'an amendment is never removed'); END;
-- end
-- only: postgres
CREATE TRIGGER billing_amendments_stay BEFORE UPDATE OR DELETE ON billing_amendments FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
-- end
