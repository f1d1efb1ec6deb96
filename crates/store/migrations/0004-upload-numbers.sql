-- Numbers of uploads are never used again: the end of one that nobody waits for any more would
-- otherwise be taken for that of another one.

DROP TRIGGER upload_counted;
DROP TRIGGER upload_discounted;
DROP TRIGGER upload_broken_off;
DROP INDEX upload_order;
DROP INDEX upload_due;
ALTER TABLE upload RENAME TO upload_before;

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

INSERT INTO upload (id, at_ms, object_key, bytes, sha256, recording, clip, snapshot, export_part,
    manifest, multipart, tries, due_ms, error)
  SELECT id, at_ms, object_key, bytes, sha256, recording, clip, snapshot, export_part,
    manifest, multipart, tries, due_ms, error FROM upload_before;
DROP TABLE upload_before;

CREATE INDEX upload_order ON upload (at_ms, id, due_ms);
CREATE INDEX upload_due ON upload (due_ms) WHERE due_ms > 0;

CREATE TRIGGER upload_counted AFTER INSERT ON upload BEGIN
  UPDATE backlog SET waiting = waiting + 1, bytes = bytes + new.bytes;
END;

CREATE TRIGGER upload_discounted AFTER DELETE ON upload BEGIN
  UPDATE backlog SET waiting = waiting - 1, bytes = bytes - old.bytes;
END;

CREATE TRIGGER upload_broken_off AFTER DELETE ON upload WHEN old.multipart IS NOT NULL BEGIN
  INSERT OR IGNORE INTO garbage_multipart (object_key, multipart)
    VALUES (old.object_key, old.multipart);
END;
