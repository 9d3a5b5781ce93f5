-- A partition's name is long and stands before each of its items: the items have its number.
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY,
  pk TEXT NOT NULL UNIQUE
);

-- Rows lie in the order of their making.
CREATE TABLE items (
  id         INTEGER PRIMARY KEY,
  partition  INTEGER NOT NULL,
  sk         TEXT NOT NULL,
  doc        TEXT NOT NULL,  -- JSON
  body       BLOB,           -- sealed
  expires_at INTEGER         -- Unix seconds
);

CREATE UNIQUE INDEX items_by_key ON items (partition, sk);
CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
