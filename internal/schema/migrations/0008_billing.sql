-- What can be sold, an entry each: meters, taxes, plans and coupons, one catalog for
-- each currency. A document is what somebody wrote, in order. Once a subscription
-- has used an entry it stays as it is: bills are worked out from it again.
CREATE TABLE billing_catalog (
    currency TEXT NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('meter','tax','plan','coupon')),
    id       TEXT NOT NULL,
    version  TEXT NOT NULL,
    position BIGINT NOT NULL,
    document JSON NOT NULL,
    offered  BOOLEAN NOT NULL,
    used_at  BIGINT,
    added_at BIGINT NOT NULL,
    added_by TEXT NOT NULL,
    PRIMARY KEY (currency, kind, id, version)
);

-- only: sqlite
CREATE TRIGGER billing_catalog_stays BEFORE UPDATE ON billing_catalog
WHEN OLD.used_at IS NOT NULL AND OLD.kind <> 'tax' AND (NEW.document <> OLD.document OR NEW.used_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'an entry of the catalog that was used is never changed'); END;
CREATE TRIGGER billing_catalog_remains BEFORE DELETE ON billing_catalog
WHEN OLD.used_at IS NOT NULL AND OLD.kind <> 'tax'
BEGIN SELECT RAISE(ABORT, 'an entry of the catalog that was used is never removed'); END;
-- end
-- only: postgres
CREATE FUNCTION billing_catalog_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the catalog that was used is never changed or removed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER billing_catalog_stays BEFORE UPDATE ON billing_catalog FOR EACH ROW
WHEN (OLD.used_at IS NOT NULL AND OLD.kind <> 'tax' AND (CAST(NEW.document AS TEXT) <> CAST(OLD.document AS TEXT) OR NEW.used_at IS NULL))
EXECUTE FUNCTION billing_catalog_stays();
CREATE TRIGGER billing_catalog_remains BEFORE DELETE ON billing_catalog FOR EACH ROW
WHEN (OLD.used_at IS NOT NULL AND OLD.kind <> 'tax')
EXECUTE FUNCTION billing_catalog_stays();
-- end

-- Who issues invoices. A series is how numbers begin, "R-" gives R-1, R-2 and so on;
-- credit notes have one of their own.
CREATE TABLE billing_issuers (
    id            TEXT PRIMARY KEY,
    legal_name    TEXT NOT NULL,
    address       JSON NOT NULL,
    tax_ids       JSON NOT NULL,
    bank          JSON NOT NULL,
    footer        TEXT NOT NULL,
    series        TEXT NOT NULL UNIQUE,
    credit_series TEXT NOT NULL UNIQUE,
    changed_at    BIGINT NOT NULL,
    changed_by    TEXT NOT NULL
);

-- What a tenant's invoices say of it, and how it pays.
CREATE TABLE billing_customers (
    tenant_id  TEXT PRIMARY KEY,
    issuer     TEXT NOT NULL REFERENCES billing_issuers (id),
    currency   TEXT NOT NULL,
    zone       TEXT NOT NULL,
    legal_name TEXT NOT NULL,
    email      TEXT NOT NULL,
    address    JSON NOT NULL,
    tax_ids    JSON NOT NULL,
    taxes      JSON NOT NULL,
    terms_days BIGINT NOT NULL,
    po_number  TEXT NOT NULL,
    language   TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);

-- What a tenant agreed to. currency, zone, anchor and taxes are those of its day: a
-- later change of the customer changes no bill that was sent.
CREATE TABLE billing_subscriptions (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES billing_customers (tenant_id),
    currency   TEXT NOT NULL,
    zone       TEXT NOT NULL,
    anchor_day BIGINT NOT NULL,
    taxes      JSON NOT NULL,
    coupons    JSON NOT NULL,
    started_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
CREATE INDEX billing_subscriptions_tenant ON billing_subscriptions (tenant_id, id);

-- What changed in a subscription: from effective_at on an item has a plan, or with
-- plan NULL none; a suspension is from effective_at to until_at. It is known since
-- recorded_at, which never goes back. Rows are only added.
CREATE TABLE billing_changes (
    subscription_id TEXT NOT NULL REFERENCES billing_subscriptions (id),
    seq             BIGINT NOT NULL,
    type            TEXT NOT NULL CHECK (type IN ('create','change','add','cancel','suspension')),
    item            TEXT NOT NULL,
    plan            TEXT,
    quantity        TEXT NOT NULL,
    effective_at    BIGINT NOT NULL,
    until_at        BIGINT,
    recorded_at     BIGINT NOT NULL,
    entered_at      BIGINT NOT NULL,
    actor           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    PRIMARY KEY (subscription_id, seq)
);

-- only: sqlite
CREATE TRIGGER billing_changes_stay BEFORE UPDATE ON billing_changes
BEGIN SELECT RAISE(ABORT, 'what changed in a subscription is never changed'); END;
CREATE TRIGGER billing_changes_remain BEFORE DELETE ON billing_changes
BEGIN SELECT RAISE(ABORT, 'what changed in a subscription is never removed'); END;
-- end
-- only: postgres
CREATE FUNCTION billing_changes_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what changed in a subscription is never changed or removed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER billing_changes_stay BEFORE UPDATE OR DELETE ON billing_changes FOR EACH ROW EXECUTE FUNCTION billing_changes_stay();
-- end
