-- The answers to requests that may come again: the key is the client's name for what it wants done once.
CREATE TABLE idempotency_keys (
  idempotency_key VARCHAR(64) NOT NULL PRIMARY KEY,
  order_id BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_by_order ON idempotency_keys (order_id);
