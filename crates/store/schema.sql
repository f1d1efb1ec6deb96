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

CREATE TABLE backlog (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  waiting INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE camera (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE CHECK (length(public_id) = 12),
  name TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  created_ms INTEGER NOT NULL
, snapshot_url TEXT) STRICT;

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
, segment_mb INTEGER CHECK (segment_mb BETWEEN 1 AND 4096), upload TEXT NOT NULL DEFAULT 'all', retention_days INTEGER CHECK (retention_days BETWEEN 1 AND 3650), quota_mb INTEGER CHECK (quota_mb > 0)) STRICT;

CREATE TABLE clip (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE CHECK (length(public_id) = 12),
  channel INTEGER NOT NULL REFERENCES channel (id),
  name TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms > start_ms),
  exact INTEGER NOT NULL CHECK (exact IN (0, 1)),
  with_audio INTEGER NOT NULL CHECK (with_audio IN (0, 1)),
  status TEXT NOT NULL,
  cancelled_ms INTEGER,
  reason TEXT,
  gaps TEXT NOT NULL DEFAULT '[]',
  media_start_ms INTEGER,
  media_end_ms INTEGER,
  bytes INTEGER,
  sha256 BLOB CHECK (length(sha256) = 32),
  object_key TEXT NOT NULL UNIQUE,
  local INTEGER NOT NULL DEFAULT 0 CHECK (local IN (0, 1)),
  stored_ms INTEGER,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX clip_by_channel ON clip (channel, created_ms, id);

CREATE INDEX clip_by_time ON clip (created_ms, id);

CREATE INDEX clip_open ON clip (id) WHERE status = 'in_progress';

CREATE TABLE codec (
  id INTEGER PRIMARY KEY,
  codecs TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE deletion (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms >= start_ms)
) STRICT;

CREATE INDEX deletion_by_start ON deletion (channel, start_ms, end_ms);

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

CREATE TABLE export (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE CHECK (length(public_id) = 12),
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms > start_ms),
  format TEXT NOT NULL,
  with_audio INTEGER NOT NULL CHECK (with_audio IN (0, 1)),
  status TEXT NOT NULL,
  reason TEXT,
  manifest_key TEXT NOT NULL UNIQUE,
  manifest_bytes INTEGER,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX export_by_time ON export (created_ms, id);

CREATE INDEX export_open ON export (id) WHERE status IN ('queued', 'running');

CREATE TABLE export_part (
  id INTEGER PRIMARY KEY,
  export INTEGER NOT NULL REFERENCES export (id) ON DELETE CASCADE,
  camera TEXT NOT NULL,
  channel TEXT NOT NULL,
  name TEXT NOT NULL,
  file TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  gaps TEXT NOT NULL DEFAULT '[]',
  media_start_ms INTEGER,
  media_end_ms INTEGER,
  bytes INTEGER,
  sha256 BLOB CHECK (length(sha256) = 32),
  object_key TEXT NOT NULL UNIQUE,
  local INTEGER NOT NULL DEFAULT 0 CHECK (local IN (0, 1)),
  stored_ms INTEGER
) STRICT;

CREATE INDEX export_part_of ON export_part (export, id);

CREATE TABLE garbage (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  local INTEGER NOT NULL CHECK (local IN (0, 1)),
  object_key TEXT,
  UNIQUE (channel, start_ms)
) STRICT;

CREATE INDEX garbage_files ON garbage (id) WHERE local = 1;

CREATE INDEX garbage_stored ON garbage (id) WHERE object_key IS NOT NULL;

CREATE TABLE garbage_multipart (
  id INTEGER PRIMARY KEY,
  object_key TEXT NOT NULL,
  multipart TEXT NOT NULL,
  UNIQUE (object_key, multipart)
) STRICT;

CREATE TABLE garbage_object (
  id INTEGER PRIMARY KEY,
  object_key TEXT NOT NULL UNIQUE,
  local INTEGER NOT NULL CHECK (local IN (0, 1)),
  remote INTEGER NOT NULL CHECK (remote IN (0, 1))
) STRICT;

CREATE VIEW locked_range (channel, start_ms, end_ms) AS
  SELECT channel, start_ms, end_ms FROM clip WHERE status = 'in_progress'
  UNION ALL
  SELECT channel, start_ms, end_ms FROM protection
  UNION ALL
  SELECT channel.id, export.start_ms, export.end_ms FROM export
    JOIN export_part ON export_part.export = export.id
    JOIN channel ON channel.public_id = export_part.channel
  WHERE export.status IN ('queued', 'running');

CREATE TABLE place (
  kind TEXT PRIMARY KEY,
  root TEXT NOT NULL,
  mark TEXT,
  moving_from TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE protection (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms > start_ms),
  note TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX protection_by_channel ON protection (channel, start_ms);

CREATE TRIGGER recording_counted AFTER INSERT ON recording BEGIN
  INSERT INTO usage (channel, local_bytes, local_count, stored_bytes, stored_count)
    VALUES (new.channel, new.local * new.bytes, new.local,
      (new.state = 2) * new.bytes, new.state = 2)
    ON CONFLICT (channel) DO UPDATE SET
      local_bytes = local_bytes + excluded.local_bytes,
      local_count = local_count + excluded.local_count,
      stored_bytes = stored_bytes + excluded.stored_bytes,
      stored_count = stored_count + excluded.stored_count;
END;

CREATE TRIGGER recording_discounted AFTER DELETE ON recording BEGIN
  UPDATE usage SET
    local_bytes = local_bytes - old.local * old.bytes,
    local_count = local_count - old.local,
    stored_bytes = stored_bytes - (old.state = 2) * old.bytes,
    stored_count = stored_count - (old.state = 2)
  WHERE channel = old.channel;
END;

CREATE TRIGGER recording_recounted AFTER UPDATE OF bytes, local, state ON recording BEGIN
  UPDATE usage SET
    local_bytes = local_bytes + new.local * new.bytes - old.local * old.bytes,
    local_count = local_count + new.local - old.local,
    stored_bytes = stored_bytes + (new.state = 2) * new.bytes - (old.state = 2) * old.bytes,
    stored_count = stored_count + (new.state = 2) - (old.state = 2)
  WHERE channel = new.channel;
END;

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
, stored_ms INTEGER) STRICT;

CREATE INDEX recording_copy ON recording (channel, start_ms, end_ms, bytes)
  WHERE local = 1 AND state = 2;

CREATE INDEX recording_copy_age ON recording (stored_ms) WHERE local = 1 AND state = 2;

CREATE INDEX recording_list ON recording
  (channel, start_ms, end_ms, state, continues, run, bytes, codec, local);

CREATE INDEX recording_local ON recording (channel, start_ms, end_ms, bytes, state) WHERE local = 1;

CREATE INDEX recording_missing ON recording (channel, start_ms) WHERE state = 3;

CREATE INDEX recording_run ON recording (run, end_ms) WHERE run IS NOT NULL;

CREATE UNIQUE INDEX recording_start ON recording (channel, start_ms);

CREATE INDEX recording_stored ON recording (channel, start_ms, end_ms, bytes, local) WHERE state = 2;

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

CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE CHECK (length(public_id) = 12),
  channel INTEGER NOT NULL REFERENCES channel (id),
  taken_ms INTEGER NOT NULL,
  source TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  bytes INTEGER,
  sha256 BLOB CHECK (length(sha256) = 32),
  object_key TEXT NOT NULL UNIQUE,
  local INTEGER NOT NULL DEFAULT 0 CHECK (local IN (0, 1)),
  stored_ms INTEGER,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX snapshot_by_channel ON snapshot (channel, taken_ms, id);

CREATE INDEX snapshot_by_time ON snapshot (taken_ms, id);

CREATE INDEX snapshot_stored ON snapshot (taken_ms, id) WHERE stored_ms IS NOT NULL;

CREATE INDEX snapshot_unkept ON snapshot (created_ms) WHERE status <> 'stored';

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

CREATE TRIGGER upload_broken_off AFTER DELETE ON upload WHEN old.multipart IS NOT NULL BEGIN
  INSERT OR IGNORE INTO garbage_multipart (object_key, multipart)
    VALUES (old.object_key, old.multipart);
END;

CREATE TRIGGER upload_counted AFTER INSERT ON upload BEGIN
  UPDATE backlog SET waiting = waiting + 1, bytes = bytes + new.bytes;
END;

CREATE TRIGGER upload_discounted AFTER DELETE ON upload BEGIN
  UPDATE backlog SET waiting = waiting - 1, bytes = bytes - old.bytes;
END;

CREATE TABLE upload (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  object_key TEXT NOT NULL UNIQUE,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  sha256 BLOB CHECK (length(sha256) = 32),
  recording INTEGER UNIQUE REFERENCES recording (id) ON DELETE CASCADE,
  clip INTEGER UNIQUE REFERENCES clip (id) ON DELETE CASCADE,
  snapshot INTEGER UNIQUE REFERENCES snapshot (id) ON DELETE CASCADE,
  export_part INTEGER UNIQUE REFERENCES export_part (id) ON DELETE CASCADE,
  manifest INTEGER UNIQUE REFERENCES export (id) ON DELETE CASCADE,
  multipart TEXT,
  tries INTEGER NOT NULL DEFAULT 0,
  due_ms INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  CHECK ((recording IS NOT NULL) + (clip IS NOT NULL) + (snapshot IS NOT NULL)
    + (export_part IS NOT NULL) + (manifest IS NOT NULL) = 1)
) STRICT;

CREATE INDEX upload_due ON upload (due_ms) WHERE due_ms > 0;

CREATE INDEX upload_order ON upload (at_ms, id, due_ms);

CREATE TABLE usage (
  channel INTEGER PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE,
  local_bytes INTEGER NOT NULL DEFAULT 0,
  local_count INTEGER NOT NULL DEFAULT 0,
  stored_bytes INTEGER NOT NULL DEFAULT 0,
  stored_count INTEGER NOT NULL DEFAULT 0
) STRICT;
