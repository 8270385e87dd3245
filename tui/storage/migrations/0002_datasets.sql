CREATE TABLE dataset (
  name TEXT PRIMARY KEY,
  created_at REAL NOT NULL,
  -- The split that was asked for, as JSON, so that it stays stable when papers are added.
  split TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE example (
  -- By dataset and content as first added, so that the same example has the same id everywhere.
  id TEXT PRIMARY KEY,
  dataset TEXT NOT NULL REFERENCES dataset (name) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  form TEXT NOT NULL,
  -- Turns as JSON for the form `messages`, the text itself for the form `text`.
  content TEXT NOT NULL,
  content_sha256 TEXT NOT NULL,
  status TEXT NOT NULL,
  role TEXT,
  -- 1 where a person or an import fixed the role, which a split then leaves alone.
  role_fixed INTEGER NOT NULL DEFAULT 0,
  author TEXT NOT NULL DEFAULT '',
  -- No foreign key: an example outlives a paper that was removed.
  paper TEXT NOT NULL DEFAULT '',
  passages TEXT NOT NULL DEFAULT '[]',
  quote TEXT NOT NULL DEFAULT '',
  verified INTEGER NOT NULL DEFAULT 0,
  key_phrase TEXT NOT NULL DEFAULT '',
  finding TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL DEFAULT '',
  created_at REAL NOT NULL,
  -- As added, before any decision: what an undo of all decisions leads back to. The content is
  -- kept only where an edit changed it.
  first_status TEXT NOT NULL,
  first_content TEXT,
  first_note TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX example_by_content ON example (dataset, content_sha256);
CREATE INDEX example_by_dataset ON example (dataset, status, kind);
CREATE INDEX example_by_role ON example (dataset, role, paper);
CREATE INDEX example_in_order ON example (dataset, created_at);
CREATE INDEX example_by_paper ON example (paper);

-- An index of the append-only files in reviews/, which are the truth.
CREATE TABLE decision (
  id TEXT PRIMARY KEY,
  dataset TEXT NOT NULL,
  person TEXT NOT NULL,
  at REAL NOT NULL,
  -- accept, reject, draft, edit, note or undo
  action TEXT NOT NULL,
  -- The reason, the note or the edited content.
  value TEXT NOT NULL DEFAULT '',
  -- The decision that an undo takes back.
  undoes TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX decision_undone ON decision (undoes) WHERE undoes != '';

CREATE TABLE decided (
  example TEXT NOT NULL,
  decision TEXT NOT NULL REFERENCES decision (id) ON DELETE CASCADE,
  PRIMARY KEY (example, decision)
) STRICT, WITHOUT ROWID;
CREATE INDEX decided_by_decision ON decided (decision);

-- How far each file of reviews/ has been read.
CREATE TABLE review_file (
  name TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
