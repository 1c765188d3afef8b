-- Frozen: what version 1 wrote. Not to be edited.
PRAGMA application_id = 1667330917;
PRAGMA user_version = 1;

CREATE TABLE ledger (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  account TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  home_host TEXT NOT NULL,
  home_path TEXT NOT NULL,
  home_file INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  ended TEXT,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  ci_job TEXT,
  version TEXT NOT NULL,
  command TEXT NOT NULL,
  account TEXT NOT NULL,
  map_id TEXT NOT NULL,
  plan TEXT,
  counts TEXT
) STRICT;

CREATE TABLE files (
  no INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (no),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT,
  records INTEGER NOT NULL,
  UNIQUE (run, position)
) STRICT;

CREATE TABLE cases (
  no INTEGER PRIMARY KEY,
  key_digest BLOB NOT NULL UNIQUE,
  key TEXT NOT NULL,
  state TEXT NOT NULL,
  case_id TEXT,
  possible_twin INTEGER NOT NULL DEFAULT 0,
  payload_digest BLOB NOT NULL,
  content INTEGER NOT NULL,
  record INTEGER NOT NULL,
  file INTEGER NOT NULL REFERENCES files (no),
  line INTEGER NOT NULL,
  position INTEGER NOT NULL,
  partner_firm TEXT,
  attempts INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX cases_open ON cases (state) WHERE state <> 'imported';
CREATE INDEX cases_case_id ON cases (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX cases_content ON cases (content) WHERE state IN ('sending', 'imported', 'in_doubt');
CREATE INDEX cases_record ON cases (record) WHERE state IN ('sending', 'imported', 'in_doubt');

CREATE TABLE contents (
  case_no INTEGER PRIMARY KEY REFERENCES cases (no),
  payload TEXT NOT NULL,
  raw TEXT NOT NULL,
  answer TEXT
) STRICT;

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

CREATE TABLE words (
  no INTEGER PRIMARY KEY,
  case_no INTEGER NOT NULL REFERENCES cases (no),
  word TEXT NOT NULL CHECK (word IN ('imported', 'not_imported', 'removed')),
  case_id TEXT,
  said_by TEXT NOT NULL,
  said_at INTEGER NOT NULL,
  state_before TEXT NOT NULL,
  case_id_before TEXT,
  updated_at_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  undone_by TEXT,
  undone_at INTEGER
) STRICT;

CREATE INDEX words_case ON words (case_no);

INSERT INTO ledger VALUES (1, '01980000-0000-7000-8000-000000000001',
  'https://api.example.com', 1780000000000, 'desk-7', '/old/ledger.db', 7);
INSERT INTO runs VALUES (1, 1780000000000, NULL, NULL, 'paula', 'desk-7', NULL, '0.1.0',
  'import cases.csv', 'https://api.example.com', 'map_1', 'abc-3', NULL);
INSERT INTO files VALUES (1, 1, 0, 'cases.csv', '00ff', 3);
INSERT INTO cases VALUES (1, x'8043abc1c87651f18b91d0e7fc73a9ae', '["00001"]', 'imported',
  'case-1', 1, x'00000000000000000000000000000001', 1, -1, 1, 2, 0, 'firm_1', 2, 1780000002000);
INSERT INTO cases VALUES (2, x'5ac0ba866ecf10eb59e3dda2b86a0c4f', '["00002"]', 'sending',
  NULL, 0, x'00000000000000000000000000000002', 2, -2, 1, 3, 1, 'firm_1', 1, 1780000001000);
INSERT INTO cases VALUES (3, x'54472566735e4ac697e5d48acb91e57d', '["00003"]', 'removed',
  NULL, 0, x'00000000000000000000000000000003', 3, -3, 1, 4, 2, 'firm_1', 1, 1780000003000);
INSERT INTO contents VALUES (2, '{"Name":"B"}', '{"Client":"B"}', NULL);
INSERT INTO attempts VALUES
  (1, 1, 1, NULL, 1780000000000, 1780000000500, 'in_doubt', 504, NULL, 'gateway time-out'),
  (1, 2, 1, 'in_doubt', 1780000001000, 1780000002000, 'imported', 201, 'case-1', NULL),
  (2, 1, 1, NULL, 1780000001000, NULL, NULL, NULL, NULL, NULL),
  (3, 1, 1, NULL, 1780000000000, 1780000000500, 'imported', 201, 'case-3', NULL);
INSERT INTO words VALUES (1, 3, 'removed', NULL, 'paula', 1780000003000, 'imported', 'case-3',
  1780000000500, 1, NULL, NULL);
