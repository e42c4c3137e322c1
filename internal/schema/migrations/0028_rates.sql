-- What a US dollar is in another currency from a day on.
CREATE TABLE billing_rates (
    currency TEXT NOT NULL,
    from_day TEXT NOT NULL,
    pair     TEXT NOT NULL,
    rate     TEXT NOT NULL,
    source   TEXT NOT NULL,
    set_at   BIGINT NOT NULL,
    set_by   TEXT NOT NULL,
    PRIMARY KEY (currency, from_day)
);
