#include "books.h"

#include <fmt/format.h>

#include "domain/seed.h"

namespace order_transactions {
namespace {

using namespace std::chrono_literals;
using lab::infra::as_integer;
using lab::infra::Sql;
using lab::infra::SqlConnection;
using lab::infra::SqlResult;
using lab::infra::SqlValue;

constexpr Nanos kBetweenLooks = 4ms;
constexpr std::size_t kRowsAtOnce = 100;

SqlResult must(Result<SqlResult> result) {
  if (!result) throw lab::Failure(result.error());
  return std::move(*result);
}

void must(Result<void> result) {
  if (!result) throw lab::Failure(result.error());
}

/// Each finds rows whose counterpart is missing, or does not fit.
struct Question {
  const char* what;
  const char* sql;  // with the season's range of order ids
  bool (*applies)(const Recipe& recipe);
};

bool always(const Recipe&) {
  return true;
}
bool with_outbox(const Recipe& recipe) {
  return recipe.writes_outbox;
}
bool with_key_table(const Recipe& recipe) {
  return recipe.key == Key::in_its_table;
}

constexpr Question kQuestions[] = {
    {"there is no line for order",
     "SELECT o.id FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id "
     "WHERE o.id >= ? AND o.id < ? AND l.order_id IS NULL",
     always},
    {"there is no payment for order",
     "SELECT o.id FROM orders o LEFT JOIN payments p ON p.order_id = o.id "
     "WHERE o.id >= ? AND o.id < ? AND p.id IS NULL",
     always},
    {"the amount paid is not the price of order",
     "SELECT o.id FROM orders o JOIN order_lines l ON l.order_id = o.id "
     "JOIN payments p ON p.order_id = o.id WHERE o.id >= ? AND o.id < ? AND "
     "(o.total_cents <> l.quantity * l.unit_price_cents OR p.amount_cents <> o.total_cents)",
     always},
    {"there is no outbox row for order",
     "SELECT o.id FROM orders o LEFT JOIN outbox b ON b.order_id = o.id "
     "WHERE o.id >= ? AND o.id < ? AND b.id IS NULL",
     with_outbox},
    {"there is no key for order",
     "SELECT o.id FROM orders o LEFT JOIN idempotency_keys k ON k.order_id = o.id "
     "WHERE o.id >= ? AND o.id < ? AND k.order_id IS NULL",
     with_key_table},
    {"there is a key, and no order",
     "SELECT k.order_id FROM idempotency_keys k LEFT JOIN orders o ON o.id = k.order_id "
     "WHERE k.order_id >= ? AND k.order_id < ? AND o.id IS NULL",
     with_key_table},
};

void insert_products(SqlConnection& connection,
                     std::span<const std::pair<ProductId, std::int64_t>> stock) {
  std::string statement = "INSERT INTO products (id, name, price_cents, stock, version) VALUES ";
  std::vector<SqlValue> values;
  for (const auto& [id, count] : stock) {
    statement += values.empty() ? "(?, ?, ?, ?, 1)" : ", (?, ?, ?, ?, 1)";
    values.insert(values.end(),
                  {id.value, fmt::format("product {}", id.value), kPrice.value, count});
  }
  must(connection.run(statement, std::span<const SqlValue>(values)));
}

/// The keys that are kept, with the orders that they are kept for.
const char* keys_of(const Recipe& recipe) {
  switch (recipe.key) {
    case Key::in_its_table:
      return "SELECT order_id, idempotency_key FROM idempotency_keys "
             "WHERE order_id >= ? AND order_id < ?";
    case Key::in_the_payment:
      return "SELECT order_id, idempotency_key FROM payments WHERE order_id >= ? AND order_id < ?";
    case Key::none: break;
  }
  return nullptr;
}

}  // namespace

void prepare_books(Sql& sql, std::uint64_t seed) {
  for (const char* table :
       {"outbox", "idempotency_keys", "payments", "order_lines", "orders", "products", "users"})
    must(sql.run(fmt::format("DELETE FROM {}", table)));
  must(sql.transaction([&](SqlConnection& connection) -> Result<void> {
    for (const auto& user : lab::domain::seed_users(kUsers, seed))
      must(connection.run("INSERT INTO users (id, email, name) VALUES (?, ?, ?)",
                          {user.id.value, user.email, user.name}));
    return {};
  }));
}

void stock_up(Sql& sql, const std::vector<std::pair<ProductId, std::int64_t>>& stock) {
  must(sql.transaction([&](SqlConnection& connection) -> Result<void> {
    for (std::span rest(stock); !rest.empty();) {
      const auto some = rest.first(std::min(kRowsAtOnce, rest.size()));
      insert_products(connection, some);
      rest = rest.subspan(some.size());
    }
    return {};
  }));
}

void read_books(Sql& sql, const Season& season, const Recipe& recipe, Evidence& evidence) {
  const std::int64_t first = season.first_product(), last = first + kPlenty + season.sales;
  for (const auto& row :
       must(sql.run("SELECT id, stock FROM products WHERE id >= ? AND id < ?", {first, last})).rows)
    evidence.left[as_integer(row[0])] = as_integer(row[1]);
  const auto [from, to] = season.order_ids();
  const auto orders =
      must(sql.run("SELECT o.id, COALESCE(l.product_id, 0), COALESCE(l.quantity, 0) FROM orders o "
                   "LEFT JOIN order_lines l ON l.order_id = o.id WHERE o.id >= ? AND o.id < ?",
                   {from, to}));
  for (const auto& row : orders.rows)
    evidence.orders.push_back(
        {OrderId{as_integer(row[0])}, as_integer(row[1]), as_integer(row[2])});
  for (const auto& [what, statement, applies] : kQuestions) {
    if (!applies(recipe)) continue;
    for (const auto& row : must(sql.run(statement, {from, to})).rows)
      evidence.orphans.push_back({what, as_integer(row[0])});
  }
  const char* const keys = keys_of(recipe);
  if (!keys) return;
  for (const auto& row : must(sql.run(keys, {from, to})).rows) {
    const OrderId order{as_integer(row[0])};
    if (std::get<std::string>(row[1]) != key_of(request_of(order)))
      evidence.orphans.push_back({"the key is not its client's of order", order.value});
  }
}

Watcher::Watcher(Sql& sql, const Season& season, lab::Instant zero)
    : sql_(sql), season_(season), zero_(zero), thread_([this] {
        while (!stop_) {
          look();
          std::this_thread::sleep_for(kBetweenLooks);
        }
      }) {}

Watcher::~Watcher() {
  stop_ = true;
}

Watched Watcher::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return seen_;
}

void Watcher::look() {
  const std::int64_t first = season_.first_product(), last = first + kPlenty + season_.sales;
  const auto lowest =
      sql_.run("SELECT id, stock FROM products WHERE id >= ? AND id < ? ORDER BY stock, id LIMIT 1",
               {first, last});
  if (!lowest || lowest->rows.empty()) return;
  ++seen_.snapshots;
  const std::int64_t stock = as_integer(lowest->rows[0][1]);
  if (stock >= 0) return;
  if (seen_.below_zero++ > 0) return;
  seen_.product = as_integer(lowest->rows[0][0]);
  seen_.stock = stock;
  seen_.at = lab::now() - zero_;
}

}  // namespace order_transactions
