#include "domain/migrations.h"

#include <gtest/gtest.h>

#include <string>

namespace lab::domain {
namespace {

TEST(Migrations, AreNumberedFromOneWithoutAGap) {
  int expected = 0;
  for (const Migration& migration : migrations()) {
    EXPECT_EQ(migration.version, ++expected) << migration.name;
    EXPECT_FALSE(migration.name.empty());
  }
  EXPECT_GE(expected, 6);
}

TEST(Migrations, CarryTheirTexts) {
  std::string all;
  for (const Migration& migration : migrations()) all += migration.sql;
  for (const char* table :
       {"users", "products", "orders", "order_lines", "payments", "outbox", "idempotency_keys"}) {
    EXPECT_NE(all.find(std::string("CREATE TABLE ") + table + " ("), std::string::npos) << table;
  }
}

}  // namespace
}  // namespace lab::domain
