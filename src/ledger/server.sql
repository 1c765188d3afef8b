-- What a ledger on a PostgreSQL server has besides the tables of schema.sql.

CREATE TABLE version (schema bigint NOT NULL);

-- The right to run: one row at most. It ends when the heartbeat is older than
-- the lease, by the server's clock alone.
CREATE TABLE lock (
  one bigint PRIMARY KEY CHECK (one = 1),
  -- Random: who has the right.
  token text NOT NULL,
  -- The same for people.
  holder text NOT NULL,
  -- In milliseconds.
  lease bigint NOT NULL,
  heartbeat timestamptz NOT NULL
);

-- By the name that SQLite has for it.
CREATE FUNCTION instr(text, text) RETURNS integer
  LANGUAGE sql IMMUTABLE STRICT AS 'SELECT strpos($1, $2)';
