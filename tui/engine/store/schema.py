"""The engine's tables; `MIGRATIONS[i]` leads to version i + 1 and is never changed afterwards."""

from __future__ import annotations

MIGRATIONS = [
    """
    CREATE TABLE files (
      position INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      filename TEXT NOT NULL,
      purpose TEXT NOT NULL,
      sample_type TEXT NOT NULL,
      mimetype TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      num_lines INTEGER NOT NULL,
      sha256 TEXT NOT NULL,
      visibility TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER
    );
    CREATE INDEX files_by_content ON files (sha256, filename, purpose);
    CREATE TABLE jobs (
      position INTEGER PRIMARY KEY AUTOINCREMENT,
      id TEXT NOT NULL UNIQUE,
      model TEXT NOT NULL,
      suffix TEXT,
      status TEXT NOT NULL,
      auto_start INTEGER NOT NULL,
      start_requested INTEGER NOT NULL,
      fingerprint TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      modified_at INTEGER NOT NULL,
      training TEXT NOT NULL,
      validation TEXT NOT NULL,
      skip_share REAL NOT NULL,
      hyperparameters TEXT NOT NULL,
      options TEXT NOT NULL,
      metadata TEXT NOT NULL,
      message TEXT NOT NULL DEFAULT '',
      fine_tuned_model TEXT,
      trained_tokens INTEGER,
      started_at REAL,
      finished_at REAL,
      launches INTEGER NOT NULL DEFAULT 0,
      launch_step INTEGER NOT NULL DEFAULT -1
    );
    CREATE INDEX jobs_by_status ON jobs (status);
    CREATE TABLE events (
      position INTEGER PRIMARY KEY AUTOINCREMENT,
      job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
      name TEXT NOT NULL,
      data TEXT NOT NULL,
      created_at INTEGER NOT NULL
    );
    CREATE INDEX events_by_job ON events (job);
    CREATE TABLE models (
      id TEXT PRIMARY KEY,
      job TEXT NOT NULL REFERENCES jobs (id),
      root TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      name TEXT,
      description TEXT,
      archived INTEGER NOT NULL DEFAULT 0,
      deleted INTEGER NOT NULL DEFAULT 0
    );
    """,
]
