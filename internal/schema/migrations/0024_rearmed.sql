-- The saga that a one-time address was opened for once more, since it has the user data
-- run again in which it stands.
ALTER TABLE one_time_addresses ADD COLUMN armed_by TEXT;
CREATE INDEX one_time_addresses_armed ON one_time_addresses (armed_by);
