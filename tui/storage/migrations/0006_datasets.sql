-- Why an example was refused, by a gate or by a person, apart from what people note on it.
ALTER TABLE example ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE example ADD COLUMN first_reason TEXT NOT NULL DEFAULT '';
-- What a question asks for (result, method, …) where its writer said so.
ALTER TABLE example ADD COLUMN question_type TEXT NOT NULL DEFAULT '';
-- The prompt that had it written, as NAME@HASH.
ALTER TABLE example ADD COLUMN prompt TEXT NOT NULL DEFAULT '';
UPDATE example SET first_reason = first_note, first_note = '' WHERE first_status = 'rejected';
UPDATE example SET reason = note, note = '' WHERE status = 'rejected';

-- On which side a split put each paper, so that it holds before there are any examples.
CREATE TABLE dataset_paper (
  dataset TEXT NOT NULL REFERENCES dataset (name) ON DELETE CASCADE,
  paper TEXT NOT NULL,
  -- 1 where the paper is kept from training.
  transfer INTEGER NOT NULL,
  PRIMARY KEY (dataset, paper)
) STRICT, WITHOUT ROWID;

-- What a model that sees the source says of an example: whether the passage holds the answer.
CREATE TABLE judgement (
  example TEXT NOT NULL REFERENCES example (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  -- The prompt it was asked with, as NAME@HASH.
  prompt TEXT NOT NULL,
  -- The words that were judged: another edit is another matter.
  content_sha256 TEXT NOT NULL,
  -- 1 where the answer stands in the source (of a refusal: where no answer does).
  entailed INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  at REAL NOT NULL,
  PRIMARY KEY (example, model)
) STRICT, WITHOUT ROWID;

-- Datasets whose generation waits, in whichever process it runs.
CREATE TABLE generation_paused (
  dataset TEXT PRIMARY KEY REFERENCES dataset (name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
