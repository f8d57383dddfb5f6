#include <mysql.h>

#include <array>
#include <cstring>
#include <vector>

#include "c_client.h"

namespace order_transactions {
namespace {

struct CloseConnection {
  void operator()(MYSQL* connection) const { mysql_close(connection); }
};
struct CloseStatement {
  void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
};
using Statement = std::unique_ptr<MYSQL_STMT, CloseStatement>;

class MariadbClient : public CClient {
 public:
  explicit MariadbClient(const lab::infra::SqlAddress& address) : connection_(mysql_init(nullptr)) {
    const bool by_socket = !address.unix_socket.empty();
    if (!mysql_real_connect(connection_.get(), by_socket ? nullptr : address.host.c_str(),
                            address.user.c_str(), address.password.c_str(),
                            address.database.c_str(), static_cast<unsigned>(address.port),
                            by_socket ? address.unix_socket.c_str() : nullptr, 0))
      fail();
    begin_ = prepare("BEGIN");
    key_ = prepare("INSERT INTO idempotency_keys (idempotency_key, order_id) VALUES (?, ?)");
    order_ =
        prepare("INSERT INTO orders (id, user_id, state, total_cents) VALUES (?, ?, 'paid', ?)");
    payment_ = prepare(
        "INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
        "VALUES (?, ?, ?, ?, 'captured')");
    outbox_ = prepare("INSERT INTO outbox (id, order_id, event) VALUES (?, ?, 'order_placed')");
    update_ = prepare("UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?");
    line_ = prepare(
        "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) "
        "VALUES (?, ?, ?, ?)");
    commit_ = prepare("COMMIT");
    rollback_ = prepare("ROLLBACK");
  }

  bool place(const OrderRequest& request) override {
    std::int64_t id = request.id.value, user = request.user.value, product = request.product.value,
                 quantity = request.quantity, price = request.unit_price.value,
                 total = quantity * price;
    std::string key = request.key;
    const bool placed = run(begin_, {}) && run(key_, {text(key), number(id)}) &&
                        run(order_, {number(id), number(user), number(total)}) &&
                        run(payment_, {number(id), number(id), number(total), text(key)}) &&
                        run(outbox_, {number(id), number(id)}) &&
                        run(update_, {number(quantity), number(product), number(quantity)}) &&
                        mysql_stmt_affected_rows(update_.get()) == 1 &&
                        run(line_, {number(id), number(product), number(quantity), number(price)});
    return run(placed ? commit_ : rollback_, {}) && placed;
  }

 private:
  static MYSQL_BIND number(std::int64_t& value) {
    MYSQL_BIND bind{};
    bind.buffer_type = MYSQL_TYPE_LONGLONG;
    bind.buffer = &value;
    return bind;
  }
  static MYSQL_BIND text(std::string& value) {
    MYSQL_BIND bind{};
    bind.buffer_type = MYSQL_TYPE_STRING;
    bind.buffer = value.data();
    bind.buffer_length = value.size();
    return bind;
  }

  static bool run(const Statement& statement, std::vector<MYSQL_BIND> values) {
    if (!values.empty() && mysql_stmt_bind_param(statement.get(), values.data()) != 0) return false;
    return mysql_stmt_execute(statement.get()) == 0;
  }

  Statement prepare(const char* sql) {
    Statement statement(mysql_stmt_init(connection_.get()));
    if (!statement || mysql_stmt_prepare(statement.get(), sql, std::strlen(sql)) != 0) fail();
    return statement;
  }

  [[noreturn]] void fail() {
    throw lab::Failure(std::string("MariaDB's C client: ") + mysql_error(connection_.get()));
  }

  std::unique_ptr<MYSQL, CloseConnection> connection_;
  Statement begin_, key_, order_, payment_, outbox_, update_, line_, commit_, rollback_;
};

}  // namespace

std::unique_ptr<CClient> open_c_client_of_mariadb(const lab::infra::SqlAddress& address) {
  return std::make_unique<MariadbClient>(address);
}

}  // namespace order_transactions
