-- Where a person (or a library that a file hangs on) put a file: it stays with this work whatever
-- it says of itself. Also written for files that are still to be read.
CREATE TABLE placed (
  path TEXT PRIMARY KEY,
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX placed_by_paper ON placed (paper);

-- What is known of a work besides its files and bibliographies: the records of works merged into
-- it, and those of library entries that its files hang on.
CREATE TABLE said (
  paper TEXT NOT NULL REFERENCES paper (id) ON DELETE CASCADE,
  -- `work:<id that was merged>`, `bib:<file>:<key>` or `zotero:<library>:<key>`
  source TEXT NOT NULL,
  metadata TEXT NOT NULL,
  doi TEXT NOT NULL,
  arxiv TEXT NOT NULL,
  title_key TEXT NOT NULL,
  -- 1 where its word counts first, 0 where it only fills what nothing else says.
  leads INTEGER NOT NULL,
  PRIMARY KEY (source)
) STRICT, WITHOUT ROWID;
CREATE INDEX said_by_paper ON said (paper);
CREATE INDEX said_by_doi ON said (doi) WHERE doi != '';
CREATE INDEX said_by_arxiv ON said (arxiv) WHERE arxiv != '';
CREATE INDEX said_by_title ON said (title_key) WHERE title_key != '';

-- Merges and splits by hand, newest last, each with what it takes to take it back.
CREATE TABLE work_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  -- What was done, in words for a person.
  what TEXT NOT NULL,
  -- The works as they were, compressed.
  before BLOB NOT NULL
) STRICT;

CREATE TABLE saved_search (
  name TEXT PRIMARY KEY,
  query TEXT NOT NULL,
  saved_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- How far a library elsewhere has been read, so that the next time asks for what is new.
CREATE TABLE library_state (
  source TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  synced_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX file_by_trouble ON file (status) WHERE status IN ('failed', 'partly', 'missing');
CREATE INDEX paper_by_added ON paper (added_at DESC, id);
-- Counted whenever the size of the library is told, without reading the texts.
CREATE INDEX paper_by_pages ON paper (pages);
CREATE INDEX paper_by_text ON paper (text_sha256) WHERE text_sha256 != '';
CREATE INDEX author_by_name ON author (name);
CREATE INDEX tag_by_name ON tag (name);
