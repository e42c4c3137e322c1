-- When a stack was released. Its state is gone then, as of one that was torn down: its
-- name is free, and it has nothing any more; what it had stays at DigitalOcean.
ALTER TABLE stacks ADD COLUMN released_at BIGINT;
