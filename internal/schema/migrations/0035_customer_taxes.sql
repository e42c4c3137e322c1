-- The taxes of a customer that hold from a day on, each with its day. Those of the column
-- taxes hold before the first of them.
ALTER TABLE billing_customers ADD COLUMN tax_changes JSON NOT NULL DEFAULT '[]';
