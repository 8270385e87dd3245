-- What a model was asked to write about, set down before the request leaves: after a kill -9
-- nothing is paid for twice, and two runs at once never ask the same.
CREATE TABLE generation (
  dataset TEXT NOT NULL REFERENCES dataset (name) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  -- A passage's id, or a paper's for a summary.
  unit TEXT NOT NULL,
  -- How often the unit was asked about before.
  turn INTEGER NOT NULL,
  endpoint TEXT NOT NULL,
  -- asked (the answer is not known), answered or failed
  status TEXT NOT NULL DEFAULT 'asked',
  -- Why it failed.
  reason TEXT NOT NULL DEFAULT '',
  accepted INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,
  tokens INTEGER NOT NULL DEFAULT 0,
  asked_at REAL NOT NULL,
  PRIMARY KEY (dataset, kind, model, unit, turn)
) STRICT, WITHOUT ROWID;
