CREATE TABLE payments (
  id BIGINT NOT NULL PRIMARY KEY,
  order_id BIGINT NOT NULL,
  amount_cents BIGINT NOT NULL,
  idempotency_key VARCHAR(64) NOT NULL UNIQUE,
  state VARCHAR(16) NOT NULL,
  CHECK (state IN ('pending', 'authorised', 'captured', 'refunded', 'failed')),
  FOREIGN KEY (order_id) REFERENCES orders (id)
);
CREATE INDEX payments_by_order ON payments (order_id);
