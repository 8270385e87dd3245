-- What was asked of an endpoint, written before the request leaves, so that a lost reply or a
-- kill -9 never submits a job twice. `job` is null until the endpoint's answer is known.
CREATE TABLE submission (
  id TEXT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  dataset TEXT NOT NULL,
  model TEXT NOT NULL,
  request TEXT NOT NULL,
  job TEXT,
  created_at REAL NOT NULL
) STRICT;
CREATE INDEX submission_by_job ON submission (job);

-- Files of dataset versions as an endpoint knows them.
CREATE TABLE upload (
  endpoint TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  file TEXT NOT NULL,
  PRIMARY KEY (endpoint, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id TEXT PRIMARY KEY,
  dataset TEXT NOT NULL,
  model TEXT NOT NULL,
  base_model TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  created_at REAL NOT NULL,
  -- The report as JSON; empty while the run is under way.
  report TEXT NOT NULL DEFAULT ''
) STRICT;
