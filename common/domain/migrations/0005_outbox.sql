-- What the world has yet to be told, written in the transaction that made it true. A relay sends it later.
CREATE TABLE outbox (
  id BIGINT NOT NULL PRIMARY KEY,
  order_id BIGINT NOT NULL,
  event VARCHAR(32) NOT NULL,
  FOREIGN KEY (order_id) REFERENCES orders (id)
);
CREATE INDEX outbox_by_order ON outbox (order_id);
