-- The database's clock in microseconds since 1970 UTC. SQLite has it as a
-- function of the connection (package db).

-- only: postgres
CREATE FUNCTION arcadia_now() RETURNS BIGINT
LANGUAGE SQL VOLATILE PARALLEL SAFE
AS $$ SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) $$;
-- end
