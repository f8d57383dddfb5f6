#include <libpq-fe.h>

#include <array>

#include "c_client.h"

namespace order_transactions {
namespace {

struct ClosePostgres {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PostgresResult = std::unique_ptr<PGresult, FreeResult>;

class PostgresClient : public CClient {
 public:
  explicit PostgresClient(const lab::infra::SqlAddress& address) {
    const std::string port = std::to_string(address.port);
    const std::string& host = address.unix_socket.empty() ? address.host : address.unix_socket;
    const char* const keys[] = {"host", "port", "user", "password", "dbname", nullptr};
    const char* const values[] = {host.c_str(),
                                  port.c_str(),
                                  address.user.c_str(),
                                  address.password.c_str(),
                                  address.database.c_str(),
                                  nullptr};
    connection_.reset(PQconnectdbParams(keys, values, 0));
    if (PQstatus(connection_.get()) != CONNECTION_OK) fail();
    const auto statements = statements_of_an_order();
    prepare(lab::infra::text_at_once(lab::infra::SqlEngine::postgres, statements));
  }

  bool place(const OrderRequest& request) override {
    const std::string id = std::to_string(request.id.value);
    const std::string user = std::to_string(request.user.value);
    const std::string product = std::to_string(request.product.value);
    const std::string quantity = std::to_string(request.quantity);
    const std::string price = std::to_string(request.unit_price.value);
    const std::string total = std::to_string((request.unit_price * request.quantity).value);
    const std::string& key = request.key;
    const std::array<const char*, 16> values{
        id.c_str(), user.c_str(),     total.c_str(),    id.c_str(),
        id.c_str(), total.c_str(),    key.c_str(),      id.c_str(),
        id.c_str(), quantity.c_str(), product.c_str(),  quantity.c_str(),
        id.c_str(), product.c_str(),  quantity.c_str(), price.c_str()};
    const PostgresResult answer(PQexecPrepared(connection_.get(), kName, values.size(),
                                               values.data(), nullptr, nullptr, 0));
    return PQresultStatus(answer.get()) == PGRES_TUPLES_OK;
  }

 private:
  static constexpr const char* kName = "order";

  void prepare(const std::string& sql) {
    const PostgresResult answer(PQprepare(connection_.get(), kName, sql.c_str(), 0, nullptr));
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) fail();
  }

  [[noreturn]] void fail() {
    throw lab::Failure(std::string("PostgreSQL's C client: ") + PQerrorMessage(connection_.get()));
  }

  std::unique_ptr<PGconn, ClosePostgres> connection_;
};

}  // namespace

std::unique_ptr<CClient> open_c_client_of_postgres(const lab::infra::SqlAddress& address) {
  return std::make_unique<PostgresClient>(address);
}

}  // namespace order_transactions
