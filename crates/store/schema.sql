-- What the migrations come to. Written by the test `schema_sql_is_fresh`:
-- ORIEL_WRITE_SCHEMA=1 cargo test -p oriel-store schema_sql

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  caller TEXT NOT NULL,
  operation TEXT NOT NULL,
  target TEXT NOT NULL,
  ok INTEGER NOT NULL CHECK (ok IN (0, 1))
) STRICT;

CREATE TABLE camera (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE CHECK (length(public_id) = 12),
  name TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE channel (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE CHECK (length(public_id) = 12),
  camera INTEGER UNIQUE REFERENCES camera (id) ON DELETE SET NULL,
  name TEXT NOT NULL,
  record_mode TEXT NOT NULL,
  record_mode_since_ms INTEGER NOT NULL,
  engine TEXT NOT NULL,
  audio TEXT NOT NULL,
  segment_seconds INTEGER CHECK (segment_seconds BETWEEN 5 AND 600),
  created_ms INTEGER NOT NULL,
  removed_ms INTEGER,
  purging INTEGER NOT NULL DEFAULT 0 CHECK (purging IN (0, 1))
) STRICT;

CREATE TABLE codec (
  id INTEGER PRIMARY KEY,
  codecs TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  channel INTEGER REFERENCES channel (id) ON DELETE CASCADE,
  reason TEXT,
  message TEXT
) STRICT;

CREATE INDEX event_by_channel ON event (channel, at_ms, id);

CREATE INDEX event_by_kind ON event (kind, at_ms);

CREATE INDEX event_by_time ON event (at_ms, id);

CREATE TABLE garbage (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  local INTEGER NOT NULL CHECK (local IN (0, 1)),
  object_key TEXT,
  UNIQUE (channel, start_ms)
) STRICT;

CREATE TABLE recording (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL REFERENCES channel (id),
  run INTEGER REFERENCES run (id) ON DELETE SET NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms >= start_ms),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  codec INTEGER NOT NULL REFERENCES codec (id),
  continues INTEGER NOT NULL CHECK (continues IN (0, 1)),
  local INTEGER NOT NULL CHECK (local IN (0, 1)),
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
  sha256 BLOB CHECK (length(sha256) = 32),
  object_key TEXT
) STRICT;

CREATE INDEX recording_list ON recording
  (channel, start_ms, end_ms, state, continues, run, bytes, codec, local);

CREATE INDEX recording_run ON recording (run, end_ms) WHERE run IS NOT NULL;

CREATE UNIQUE INDEX recording_start ON recording (channel, start_ms);

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER,
  codec INTEGER NOT NULL REFERENCES codec (id),
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  end_reason TEXT,
  end_message TEXT,
  drift_ppm REAL
) STRICT;

CREATE INDEX run_by_start ON run (channel, start_ms);

CREATE INDEX run_open ON run (id) WHERE end_ms IS NULL;

CREATE TABLE session (
  id_hash BLOB PRIMARY KEY CHECK (length(id_hash) = 32),
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_profile (
  camera INTEGER NOT NULL REFERENCES camera (id) ON DELETE CASCADE,
  quality TEXT NOT NULL,
  url TEXT NOT NULL,
  video_codec TEXT,
  video_codec_string TEXT,
  width INTEGER,
  height INTEGER,
  frame_rate REAL,
  audio_codec TEXT,
  audio_codec_string TEXT,
  sample_rate INTEGER,
  audio_channels INTEGER,
  PRIMARY KEY (camera, quality)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX stream_profile_address ON stream_profile (url) WHERE quality = 'high';
