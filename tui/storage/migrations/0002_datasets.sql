CREATE TABLE dataset (
  name TEXT PRIMARY KEY,
  created_at REAL NOT NULL,
  -- The split that was asked for, as JSON, so that it stays stable when papers are added.
  split TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE example (
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
  UNIQUE (dataset, content_sha256)
) STRICT;
CREATE INDEX example_by_dataset ON example (dataset, status, kind);
CREATE INDEX example_by_paper ON example (paper);

CREATE TABLE version (
  dataset TEXT NOT NULL REFERENCES dataset (name) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  created_at REAL NOT NULL,
  PRIMARY KEY (dataset, version)
) STRICT, WITHOUT ROWID;
