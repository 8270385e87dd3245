-- Jobs launched together over a grid of settings; `grid` is the request as JSON, `id` its hash, so
-- that a launch that was cut in half goes on where it stopped.
CREATE TABLE job_group (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  grid TEXT NOT NULL,
  created_at REAL NOT NULL
) STRICT;
ALTER TABLE submission ADD COLUMN job_group TEXT;

-- Jobs as their endpoint told of them last: shown at once and while it does not answer.
CREATE TABLE job_known (
  endpoint TEXT NOT NULL,
  job TEXT NOT NULL,
  document TEXT NOT NULL,
  -- Progress, sparkline and best checkpoint as JSON; empty until the curve was asked for.
  summary TEXT NOT NULL DEFAULT '',
  -- The endpoint listed the job once and no longer does.
  gone INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (endpoint, job)
) STRICT, WITHOUT ROWID;
CREATE TABLE job_heard (
  endpoint TEXT PRIMARY KEY,
  at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- How a job stood when a person looked last.
CREATE TABLE job_seen (
  person TEXT NOT NULL,
  job TEXT NOT NULL,
  status TEXT NOT NULL,
  step INTEGER NOT NULL,
  at REAL NOT NULL,
  PRIMARY KEY (person, job)
) STRICT, WITHOUT ROWID;

-- Alerts that one app has sent, so that another one does not send them again.
CREATE TABLE job_alert (
  job TEXT NOT NULL,
  kind TEXT NOT NULL,
  at REAL NOT NULL,
  PRIMARY KEY (job, kind)
) STRICT, WITHOUT ROWID;

-- What a team wrote on its models, and the names it gave them.
CREATE TABLE model_note (
  id TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  person TEXT NOT NULL,
  text TEXT NOT NULL,
  at REAL NOT NULL
) STRICT;
CREATE INDEX model_note_by_model ON model_note (model);
CREATE TABLE model_alias (
  name TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  person TEXT NOT NULL,
  at REAL NOT NULL
) STRICT, WITHOUT ROWID;
