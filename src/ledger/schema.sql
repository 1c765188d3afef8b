-- Schema 1 of the ledger. Times are milliseconds since 1970, UTC.

CREATE TABLE ledger (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  account TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- Hashed with every name, phone and the like, so that no table made
  -- beforehand can tell them.
  salt BLOB NOT NULL,
  -- The server that it is moved to, and when it was.
  moved_to TEXT,
  moved_at INTEGER
) STRICT;

CREATE TABLE runs (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Random, and how many claims it has made: together the name of an attempt,
  -- by which a ledger is compared with what a machine remembers of it.
  mark TEXT NOT NULL UNIQUE,
  claims INTEGER NOT NULL DEFAULT 0,
  -- Who started it, when and with what, as JSON.
  start TEXT NOT NULL,
  ended_at INTEGER,
  ended TEXT,
  -- What became of its records, as JSON.
  counts TEXT
) STRICT;

-- The key columns that runs have used. The source is the folded name of the
-- system that the keys come from, empty where none is named.
CREATE TABLE key_columns (
  source TEXT NOT NULL,
  -- What is compared, as JSON; an empty list only names the source.
  folded TEXT NOT NULL,
  -- As they were named, as JSON.
  columns TEXT NOT NULL,
  PRIMARY KEY (source, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
  no INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (no),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (run, position)
) STRICT;

-- One row a case; in the order of the first claims. No CHECK here or in the
-- attempts: each would be tried on every row whenever a ledger is opened.
CREATE TABLE cases (
  no INTEGER PRIMARY KEY,
  key_digest BLOB NOT NULL UNIQUE,
  key TEXT NOT NULL,
  state TEXT NOT NULL,
  -- The platform's id; only while imported.
  case_id TEXT,
  possible_twin INTEGER NOT NULL DEFAULT 0,
  -- These are null in a case that a user added: it was never read from a file.
  payload_digest BLOB,
  file INTEGER REFERENCES files (no),
  line INTEGER,
  row INTEGER,
  position INTEGER,
  -- By these a case is found under another key; kept when its content is
  -- dropped. Each is null where the case has nothing of that kind.
  folded_key INTEGER,
  content INTEGER,
  record INTEGER,
  name INTEGER,
  phone INTEGER,
  email INTEGER,
  incident_date INTEGER,
  birth_date INTEGER,
  case_type INTEGER,
  partner_firm TEXT,
  attempts INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  -- When what was kept of the person was dropped.
  forgotten_at INTEGER
) STRICT;

CREATE INDEX cases_open ON cases (state) WHERE state <> 'imported';
CREATE INDEX cases_case_id ON cases (case_id) WHERE case_id IS NOT NULL;
-- Not limited to some states: a settle would write them all again.
CREATE INDEX cases_payload ON cases (payload_digest);
CREATE INDEX cases_content ON cases (content) WHERE content IS NOT NULL;
CREATE INDEX cases_record ON cases (record) WHERE record IS NOT NULL;
CREATE INDEX cases_folded_key ON cases (folded_key) WHERE folded_key IS NOT NULL;
CREATE INDEX cases_phone ON cases (phone, name) WHERE phone IS NOT NULL;
CREATE INDEX cases_email ON cases (email, name) WHERE email IS NOT NULL;
CREATE INDEX cases_incident_date ON cases (incident_date, name) WHERE incident_date IS NOT NULL;

-- Apart from the cases, so that what is dropped after the import leaves no holes.
CREATE TABLE contents (
  case_no INTEGER PRIMARY KEY REFERENCES cases (no),
  payload TEXT NOT NULL,
  raw_record TEXT NOT NULL,
  answer TEXT
) STRICT;

-- The latest attempt of a case is the one whose `nth` is its `attempts`.
-- Under way: no outcome yet. Left by a dead run: an outcome, and no end.
CREATE TABLE attempts (
  case_no INTEGER NOT NULL REFERENCES cases (no),
  nth INTEGER NOT NULL,
  run INTEGER NOT NULL REFERENCES runs (no),
  state_before TEXT,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT,
  status INTEGER,
  case_id TEXT,
  message TEXT,
  PRIMARY KEY (case_no, nth)
) STRICT, WITHOUT ROWID;

-- What users recorded about cases; each resolution can be undone.
CREATE TABLE resolutions (
  no INTEGER PRIMARY KEY,
  -- Null when the resolution that added the case was undone.
  case_no INTEGER REFERENCES cases (no),
  -- Random: of all that one command resolved, and of all that one undid.
  mark TEXT NOT NULL,
  undone_mark TEXT,
  resolution TEXT NOT NULL CHECK (resolution IN ('imported', 'not_imported', 'removed')),
  case_id TEXT,
  marked_by TEXT NOT NULL,
  marked_at INTEGER NOT NULL,
  -- Null when the resolution added the case.
  state_before TEXT,
  case_id_before TEXT,
  updated_at_before INTEGER,
  attempts INTEGER NOT NULL,
  undone_by TEXT,
  undone_at INTEGER
) STRICT;

CREATE INDEX resolutions_case ON resolutions (case_no);

-- What `setup` has created on the platform.
CREATE TABLE setup (
  no INTEGER PRIMARY KEY,
  -- `mapping`, or the event of a subscription.
  name TEXT NOT NULL UNIQUE,
  -- As of a case; imported means created.
  state TEXT NOT NULL,
  -- The platform's id, once it is created.
  id TEXT,
  -- Of the request that created it; null where a user said that it exists.
  request BLOB,
  updated_at INTEGER NOT NULL,
  message TEXT
) STRICT;

-- What webhooks brought. To which case an event belongs is not stored: it
-- follows from its body, as soon as the ledger knows the case.
CREATE TABLE events (
  no INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  -- The sender's name of the delivery, where it has one.
  delivery TEXT,
  digest BLOB NOT NULL,
  -- Null when it is forgotten.
  body BLOB
) STRICT;

CREATE INDEX events_delivery ON events (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX events_digest ON events (digest);
