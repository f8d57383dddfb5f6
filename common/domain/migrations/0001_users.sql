-- Ids are chosen by the program: each engine has its own idea of a generated key, and a retry of an
-- insert with a chosen id can be told from a second row.
CREATE TABLE users (
  id BIGINT NOT NULL PRIMARY KEY,
  email VARCHAR(254) NOT NULL UNIQUE,
  name VARCHAR(200) NOT NULL
);
