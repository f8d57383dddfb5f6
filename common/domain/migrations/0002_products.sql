-- No CHECK (stock >= 0): whether the program itself never sells what is not there is what scenarios
-- are about.
CREATE TABLE products (
  id BIGINT NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  price_cents BIGINT NOT NULL,
  stock BIGINT NOT NULL,
  version BIGINT NOT NULL
);
