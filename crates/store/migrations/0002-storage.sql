-- Uploads, clips, snapshots, exports, retention and places.

ALTER TABLE camera ADD COLUMN snapshot_url TEXT;

ALTER TABLE channel ADD COLUMN segment_mb INTEGER CHECK (segment_mb BETWEEN 1 AND 4096);
ALTER TABLE channel ADD COLUMN upload TEXT NOT NULL DEFAULT 'all';
ALTER TABLE channel ADD COLUMN retention_days INTEGER CHECK (retention_days BETWEEN 1 AND 3650);
ALTER TABLE channel ADD COLUMN quota_mb INTEGER CHECK (quota_mb > 0);

ALTER TABLE recording ADD COLUMN stored_ms INTEGER;

CREATE INDEX recording_local ON recording (channel, start_ms, end_ms, bytes, state) WHERE local = 1;
CREATE INDEX recording_stored ON recording (channel, start_ms, end_ms, bytes, local) WHERE state = 2;
CREATE INDEX recording_copy ON recording (channel, start_ms, end_ms, bytes)
  WHERE local = 1 AND state = 2;
CREATE INDEX recording_copy_age ON recording (stored_ms) WHERE local = 1 AND state = 2;
CREATE INDEX recording_missing ON recording (channel, start_ms) WHERE state = 3;

CREATE INDEX garbage_files ON garbage (id) WHERE local = 1;
CREATE INDEX garbage_stored ON garbage (id) WHERE object_key IS NOT NULL;

CREATE TABLE deletion (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms >= start_ms)
) STRICT;

CREATE INDEX deletion_by_start ON deletion (channel, start_ms, end_ms);

CREATE TABLE usage (
  channel INTEGER PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE,
  local_bytes INTEGER NOT NULL DEFAULT 0,
  local_count INTEGER NOT NULL DEFAULT 0,
  stored_bytes INTEGER NOT NULL DEFAULT 0,
  stored_count INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO usage (channel, local_bytes, local_count, stored_bytes, stored_count)
  SELECT channel, coalesce(sum(bytes) FILTER (WHERE local = 1), 0), count(*) FILTER (WHERE local = 1),
    coalesce(sum(bytes) FILTER (WHERE state = 2), 0), count(*) FILTER (WHERE state = 2)
  FROM recording GROUP BY channel;

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

CREATE TRIGGER recording_recounted AFTER UPDATE OF bytes, local, state ON recording BEGIN
  UPDATE usage SET
    local_bytes = local_bytes + new.local * new.bytes - old.local * old.bytes,
    local_count = local_count + new.local - old.local,
    stored_bytes = stored_bytes + (new.state = 2) * new.bytes - (old.state = 2) * old.bytes,
    stored_count = stored_count + (new.state = 2) - (old.state = 2)
  WHERE channel = new.channel;
END;

CREATE TRIGGER recording_discounted AFTER DELETE ON recording BEGIN
  UPDATE usage SET
    local_bytes = local_bytes - old.local * old.bytes,
    local_count = local_count - old.local,
    stored_bytes = stored_bytes - (old.state = 2) * old.bytes,
    stored_count = stored_count - (old.state = 2)
  WHERE channel = old.channel;
END;

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

CREATE INDEX clip_by_time ON clip (created_ms, id);
CREATE INDEX clip_by_channel ON clip (channel, created_ms, id);
CREATE INDEX clip_open ON clip (id) WHERE status = 'in_progress';

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

CREATE INDEX snapshot_by_time ON snapshot (taken_ms, id);
CREATE INDEX snapshot_by_channel ON snapshot (channel, taken_ms, id);
CREATE INDEX snapshot_unkept ON snapshot (created_ms) WHERE status <> 'stored';
CREATE INDEX snapshot_stored ON snapshot (taken_ms, id) WHERE stored_ms IS NOT NULL;

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

CREATE TABLE protection (
  id INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms > start_ms),
  note TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX protection_by_channel ON protection (channel, start_ms);

CREATE VIEW locked_range (channel, start_ms, end_ms) AS
  SELECT channel, start_ms, end_ms FROM clip WHERE status = 'in_progress'
  UNION ALL
  SELECT channel, start_ms, end_ms FROM protection
  UNION ALL
  SELECT channel.id, export.start_ms, export.end_ms FROM export
    JOIN export_part ON export_part.export = export.id
    JOIN channel ON channel.public_id = export_part.channel
  WHERE export.status IN ('queued', 'running');

CREATE TABLE upload (
  id INTEGER PRIMARY KEY,
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

CREATE INDEX upload_order ON upload (at_ms, id, due_ms);
CREATE INDEX upload_due ON upload (due_ms) WHERE due_ms > 0;

CREATE TABLE backlog (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  waiting INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT;

INSERT INTO backlog (id, waiting, bytes) VALUES (1, 0, 0);

CREATE TRIGGER upload_counted AFTER INSERT ON upload BEGIN
  UPDATE backlog SET waiting = waiting + 1, bytes = bytes + new.bytes;
END;

CREATE TRIGGER upload_discounted AFTER DELETE ON upload BEGIN
  UPDATE backlog SET waiting = waiting - 1, bytes = bytes - old.bytes;
END;

CREATE TABLE garbage_object (
  id INTEGER PRIMARY KEY,
  object_key TEXT NOT NULL UNIQUE,
  local INTEGER NOT NULL CHECK (local IN (0, 1)),
  remote INTEGER NOT NULL CHECK (remote IN (0, 1))
) STRICT;

CREATE TABLE place (
  kind TEXT PRIMARY KEY,
  root TEXT NOT NULL,
  mark TEXT,
  moving_from TEXT
) STRICT, WITHOUT ROWID;
