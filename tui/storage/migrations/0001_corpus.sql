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
  -- The file that the text was read from; the work's other files give metadata only.
  text_file TEXT NOT NULL DEFAULT '',
  -- Where each page starts in the text: a JSON list of [offset, page].
  page_starts TEXT NOT NULL DEFAULT '[]',
  added_at REAL NOT NULL
) STRICT;
CREATE INDEX paper_by_doi ON paper (doi) WHERE doi != '';
CREATE INDEX paper_by_arxiv ON paper (arxiv) WHERE arxiv != '';
CREATE INDEX paper_by_title ON paper (title_key);
-- The order of the list.
CREATE INDEX paper_by_year ON paper (year DESC, title, id);

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
  -- What the file itself says of the work, as JSON; the paper's row is made from all of them.
  metadata TEXT NOT NULL DEFAULT '{}',
  -- The LaTeX main file that this one is a part of.
  main TEXT NOT NULL DEFAULT '',
  seen_at REAL NOT NULL
) STRICT;
CREATE INDEX file_by_main ON file (main) WHERE main != '';
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

-- Entries of bibliographies seen on the way: they complete works that come before or after them.
CREATE TABLE bib_entry (
  file TEXT NOT NULL REFERENCES file (path) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  title_key TEXT NOT NULL,
  doi TEXT NOT NULL,
  arxiv TEXT NOT NULL,
  metadata TEXT NOT NULL,
  PRIMARY KEY (file, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX bib_entry_by_title ON bib_entry (title_key);
CREATE INDEX bib_entry_by_doi ON bib_entry (doi) WHERE doi != '';
CREATE INDEX bib_entry_by_arxiv ON bib_entry (arxiv) WHERE arxiv != '';

-- The last change of each paper, removal included. Every search index (a workspace on a network
-- file system has one per host) remembers how far along this sequence it is.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  paper TEXT NOT NULL UNIQUE
) STRICT;

-- Which library this is, so that an index of another one is never taken for its own.
CREATE TABLE library (id TEXT NOT NULL) STRICT;
INSERT INTO library VALUES (lower(hex(randomblob(8))));
