-- Pictures that issuers have on their documents. One that a document has is there for
-- as long as the document: rows are only added.
CREATE TABLE billing_logos (
    hash     TEXT PRIMARY KEY,
    picture  BYTEA NOT NULL,
    added_at BIGINT NOT NULL,
    added_by TEXT NOT NULL
);
ALTER TABLE billing_issuers ADD COLUMN logo TEXT NOT NULL DEFAULT '';

-- only: sqlite
CREATE TRIGGER billing_logos_stay BEFORE UPDATE ON billing_logos BEGIN SELECT RAISE(ABORT, 'a logo is never changed'); END;
CREATE TRIGGER billing_logos_remain BEFORE DELETE ON billing_logos BEGIN SELECT RAISE(ABORT, 'a logo is never removed'); END;
-- end
-- only: postgres
CREATE TRIGGER billing_logos_stay BEFORE UPDATE OR DELETE ON billing_logos FOR EACH ROW EXECUTE FUNCTION billing_payments_stay();
-- end
