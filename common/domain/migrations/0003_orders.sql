CREATE TABLE orders (
  id BIGINT NOT NULL PRIMARY KEY,
  user_id BIGINT NOT NULL,
  state VARCHAR(16) NOT NULL,
  total_cents BIGINT NOT NULL,
  CHECK (state IN ('placed', 'paid', 'shipped', 'delivered', 'cancelled')),
  FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE TABLE order_lines (
  order_id BIGINT NOT NULL,
  product_id BIGINT NOT NULL,
  quantity BIGINT NOT NULL,
  unit_price_cents BIGINT NOT NULL,
  PRIMARY KEY (order_id, product_id),
  CHECK (quantity > 0),
  FOREIGN KEY (order_id) REFERENCES orders (id),
  FOREIGN KEY (product_id) REFERENCES products (id)
);
CREATE INDEX orders_by_user ON orders (user_id);
CREATE INDEX order_lines_by_product ON order_lines (product_id);
