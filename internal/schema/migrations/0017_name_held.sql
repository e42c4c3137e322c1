-- Until when a torn down stack's name is not given to another of its tenant.
ALTER TABLE stacks ADD COLUMN name_held_until BIGINT;
