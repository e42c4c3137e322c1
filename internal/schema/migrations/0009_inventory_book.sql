-- What the versions of resources were priced by: the price book, and how much of it
-- counted.
ALTER TABLE inv_feed ADD COLUMN book TEXT NOT NULL DEFAULT '';
