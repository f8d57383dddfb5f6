#include <libpq-fe.h>

#include <array>
#include <cstring>

#include "c_client.h"

namespace order_transactions {
namespace {

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, FreeResult>;

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
    prepare("begin", "BEGIN");
    prepare("insert",
            "WITH kept AS (INSERT INTO idempotency_keys (idempotency_key, order_id) "
            "VALUES ($1, $2)), "
            "placed AS (INSERT INTO orders (id, user_id, state, total_cents) "
            "VALUES ($3, $4, 'paid', $5)), "
            "paid AS (INSERT INTO payments (id, order_id, amount_cents, idempotency_key, state) "
            "VALUES ($6, $7, $8, $9, 'captured')) "
            "INSERT INTO outbox (id, order_id, event) VALUES ($10, $11, 'order_placed')");
    prepare("take",
            "WITH taken AS (UPDATE products SET stock = stock - $1 WHERE id = $2 AND stock >= $3 "
            "RETURNING id) "
            "INSERT INTO order_lines (order_id, product_id, quantity, unit_price_cents) "
            "SELECT $4, id, $5, $6 FROM taken");
    prepare("commit", "COMMIT");
    prepare("rollback", "ROLLBACK");
  }

  bool place(const OrderRequest& request) override {
    const std::string id = std::to_string(request.id.value);
    const std::string user = std::to_string(request.user.value);
    const std::string product = std::to_string(request.product.value);
    const std::string quantity = std::to_string(request.quantity);
    const std::string price = std::to_string(request.unit_price.value);
    const std::string total = std::to_string((request.unit_price * request.quantity).value);
    const std::string& key = request.key;
    const bool placed =
        run<0>("begin", {}) != nullptr &&
        run<11>("insert", {&key, &id, &id, &user, &total, &id, &id, &total, &key, &id, &id}) !=
            nullptr &&
        is_one_row(run<6>("take", {&quantity, &product, &quantity, &id, &quantity, &price}));
    return run<0>(placed ? "commit" : "rollback", {}) != nullptr && placed;
  }

 private:
  static bool is_one_row(const Answer& answer) {
    return answer && std::strcmp(PQcmdTuples(answer.get()), "1") == 0;
  }

  /// Nothing when it failed.
  template <std::size_t N>
  Answer run(const char* statement, std::array<const std::string*, N> values) {
    std::array<const char*, N + 1> texts{};
    for (std::size_t i = 0; i < N; ++i) texts[i] = values[i]->c_str();
    Answer answer(
        PQexecPrepared(connection_.get(), statement, N, texts.data(), nullptr, nullptr, 0));
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) return nullptr;
    return answer;
  }

  void prepare(const char* name, const char* sql) {
    const Answer answer(PQprepare(connection_.get(), name, sql, 0, nullptr));
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) fail();
  }

  [[noreturn]] void fail() {
    throw lab::Failure(std::string("PostgreSQL's C client: ") + PQerrorMessage(connection_.get()));
  }

  std::unique_ptr<PGconn, CloseConnection> connection_;
};

}  // namespace

std::unique_ptr<CClient> open_c_client_of_postgres(const lab::infra::SqlAddress& address) {
  return std::make_unique<PostgresClient>(address);
}

}  // namespace order_transactions
