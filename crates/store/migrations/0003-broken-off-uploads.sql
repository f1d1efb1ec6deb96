-- Uploads in parts that nobody will finish: the store keeps, and charges, their parts until they
-- are broken off.

CREATE TABLE garbage_multipart (
  id INTEGER PRIMARY KEY,
  object_key TEXT NOT NULL,
  multipart TEXT NOT NULL,
  UNIQUE (object_key, multipart)
) STRICT;

CREATE TRIGGER upload_broken_off AFTER DELETE ON upload WHEN old.multipart IS NOT NULL BEGIN
  INSERT OR IGNORE INTO garbage_multipart (object_key, multipart)
    VALUES (old.object_key, old.multipart);
END;
