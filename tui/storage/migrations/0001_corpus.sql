CREATE TABLE paper (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  title_key TEXT NOT NULL,
  year INTEGER,
  venue TEXT NOT NULL DEFAULT '',
  doi TEXT NOT NULL DEFAULT '',
  arxiv TEXT NOT NULL DEFAULT '',
  abstract TEXT NOT NULL DEFAULT '',
  private INTEGER NOT NULL DEFAULT 0,
  pages INTEGER NOT NULL DEFAULT 0,
  text TEXT NOT NULL DEFAULT '',
  text_sha256 TEXT NOT NULL DEFAULT '',
  added_at REAL NOT NULL
) STRICT;
CREATE INDEX paper_by_doi ON paper (doi) WHERE doi != '';
CREATE INDEX paper_by_arxiv ON paper (arxiv) WHERE arxiv != '';
CREATE INDEX paper_by_title ON paper (title_key);

CREATE TABLE author (
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (paper, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  PRIMARY KEY (paper, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE private_tag (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Every regular file that was ever named to `corpus add`; `paper` is null where it holds none.
CREATE TABLE file (
  path TEXT PRIMARY KEY,
  paper TEXT REFERENCES paper (id) ON DELETE SET NULL,
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  sha256 TEXT NOT NULL DEFAULT '',
  status TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  pages INTEGER NOT NULL DEFAULT 0,
  seen_at REAL NOT NULL
) STRICT;
CREATE INDEX file_by_paper ON file (paper);
CREATE INDEX file_by_content ON file (sha256) WHERE sha256 != '';

CREATE TABLE section (
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  level INTEGER NOT NULL,
  kind TEXT NOT NULL,
  page INTEGER NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  PRIMARY KEY (paper, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE reference (
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (paper, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE passage (
  id TEXT PRIMARY KEY,
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  section TEXT NOT NULL,
  kind TEXT NOT NULL,
  page INTEGER NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX passage_by_paper ON passage (paper, position);

-- Papers whose index entries are out of date; emptied by whoever indexes them.
CREATE TABLE unindexed (paper TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
