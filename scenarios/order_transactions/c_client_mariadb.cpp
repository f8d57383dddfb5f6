#include <mysql.h>

#include <array>

#include "c_client.h"

namespace order_transactions {
namespace {

struct CloseMariadb {
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
    const auto statements = statements_of_an_order();
    order_ = prepare(lab::infra::text_at_once(lab::infra::SqlEngine::mariadb, statements));
  }

  bool place(const OrderRequest& request) override {
    std::int64_t id = request.id.value, user = request.user.value, product = request.product.value,
                 quantity = request.quantity, price = request.unit_price.value,
                 total = quantity * price;
    std::string key = request.key;
    std::array values{number(id), number(user),     number(total),    number(id),
                      number(id), number(total),    text(key),        number(id),
                      number(id), number(quantity), number(product),  number(quantity),
                      number(id), number(product),  number(quantity), number(price)};
    return mysql_stmt_bind_param(order_.get(), values.data()) == 0 &&
           mysql_stmt_execute(order_.get()) == 0;
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

  Statement prepare(const std::string& sql) {
    Statement statement(mysql_stmt_init(connection_.get()));
    if (!statement || mysql_stmt_prepare(statement.get(), sql.data(), sql.size()) != 0) fail();
    return statement;
  }

  [[noreturn]] void fail() {
    throw lab::Failure(std::string("MariaDB's C client: ") + mysql_error(connection_.get()));
  }

  std::unique_ptr<MYSQL, CloseMariadb> connection_;
  Statement order_;
};

}  // namespace

std::unique_ptr<CClient> open_c_client_of_mariadb(const lab::infra::SqlAddress& address) {
  return std::make_unique<MariadbClient>(address);
}

}  // namespace order_transactions
