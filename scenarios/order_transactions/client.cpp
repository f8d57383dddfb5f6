#include "client.h"

#include <fmt/format.h>

#include <optional>
#include <thread>

#include <nlohmann/json.hpp>

#include "actors/crash_points.h"
#include "actors/operation_log.h"
#include "actors/role.h"
#include "core/stop.h"
#include "harness/exit_status.h"
#include "resets.h"
#include "retry.h"

namespace order_transactions {
namespace {

using namespace std::chrono_literals;
using lab::Instant;
using lab::actors::CrashPoints;
using lab::actors::OperationLog;
using lab::harness::Operation;
using lab::harness::Outcome;

constexpr Nanos kBreath =
    3ms;  // after a failure, so that a database that is away is not asked without end

/// One client's life.
class Client : public Observer {
 public:
  Client(ClientOrders orders, const std::vector<Recipe>& recipes)
      : orders_(std::move(orders)),
        recipe_(recipe_of(recipes, orders_.variant)),
        earlier_(lab::actors::read_operations(history_of(orders_.folder, orders_.client), Instant{},
                                              Nanos{})),
        log_(history_of(orders_.folder, orders_.client)),
        points_(crash_points_file(orders_.folder), steps_of(recipe_)),
        shopper_(orders_.season,
                 lab::Random(orders_.seed).stream(1000 * orders_.client + orders_.life)) {
    for (const auto& op : earlier_) shopper_.told(Wish::unpacked(op.aux), is_sold_out(op));
    if (!orders_.death_at.empty())
      points_.die_at(orders_.death_at, orders_.death_passing, orders_.death_after);
    auto address = lab::infra::SqlAddress::parse(orders_.sql_url).value();
    if (orders_.resets) {
      resets_ = std::make_unique<Resets>(
          address, (orders_.folder / fmt::format("proxy-{}", orders_.client)).string(),
          orders_.seed + orders_.client);
      address = resets_->address();
    }
    database_ = lab::infra::connect_sql(address, {.connections = 1});
    observed_ = observed(*database_, *this);
    desk_ = recipe_.make(*observed_);
  }

  void buy_until_told_to_stop() {
    finish_what_was_left_open();
    while (!lab::stop_requested()) {
      const std::int64_t request = next_request();
      const Wish wish = shopper_.next();
      Operation answer = call(kPlace, request, 0, wish);
      if (answer.outcome == Outcome::info) {
        ask_again(request, 1, wish);
      } else if (answer.outcome == Outcome::fail) {
        std::this_thread::sleep_for(kBreath);
      }
    }
  }

  void passed(std::string_view step) override { points_.pass(step); }
  bool arrived(std::string_view step) override { return points_.arrive(step); }
  void die(std::string_view step) override { points_.die(step); }
  void lost_to_another() override {
    ++conflicts_;
    ended_in_conflict_ = true;
  }
  void begun() override { ended_in_conflict_ = false; }
  void committed() override { ended_in_conflict_ = false; }
  void committing() override {
    if (resets_) resets_->committing();
  }

 private:
  static bool is_sold_out(const Operation& op) {
    return op.outcome == Outcome::ok && op.value == 0;
  }

  std::int64_t next_request() {
    if (requests_ == 0) {  // in the first life there were none
      for (const auto& op : earlier_)
        requests_ = std::max(requests_, op.key - orders_.season.first_request(orders_.client));
    }
    return orders_.season.first_request(orders_.client) + ++requests_;
  }

  /// The call that killed the last life, or that the last life could not bring to an end.
  void finish_what_was_left_open() {
    std::int64_t request = 0, attempts = 0;
    bool open = false;
    for (const auto& op : earlier_) {
      if (op.key != request) attempts = open = false;
      request = op.key;
      attempts = std::max(attempts, attempt_of(OrderId{op.value}));
      open = op.outcome == Outcome::info || (open && op.outcome == Outcome::fail);
    }
    if (open) ask_again(request, attempts + 1, Wish::unpacked(earlier_.back().aux));
  }

  /// Until there is an answer. A refusal says only that this attempt made nothing: what came of the first is still open.
  void ask_again(std::int64_t request, std::int64_t attempt, const Wish& wish) {
    while (attempt < kMostAttempts && !lab::stop_requested()) {
      const Operation answer = call(kRetry, request, attempt, wish);
      if (answer.outcome == Outcome::ok) return;
      attempt += answer.outcome == Outcome::info ? 1 : 0;
      std::this_thread::sleep_for(kBreath);
    }
  }

  Operation call(Kind kind, std::int64_t request, std::int64_t attempt, Wish wish) {
    const OrderRequest order = request_for(request, attempt, wish);
    conflicts_ = 0;
    ended_in_conflict_ = false;
    Operation begun{.key = request,
                    .value = order.id.value,
                    .aux = wish.packed(),
                    .client = orders_.client,
                    .kind = kind};
    log_.invoked(begun);
    Operation answer = ask(*desk_, order, wish);
    if (answer.outcome == Outcome::ok && answer.value != 0) points_.pass(kAfterCommit);
    wish.conflicts = conflicts_;
    wish.ended_in_conflict = ended_in_conflict_;
    answer.aux = wish.packed();
    log_.returned(answer);
    shopper_.told(wish, is_sold_out(answer));
    return answer;
  }

  const ClientOrders orders_;
  const Recipe& recipe_;
  const std::vector<Operation> earlier_;  // of this client's earlier lives
  OperationLog log_;
  CrashPoints points_;
  Shopper shopper_;
  std::int64_t requests_ = 0;
  std::int64_t conflicts_ = 0;
  bool ended_in_conflict_ = false;
  std::unique_ptr<Resets> resets_;
  std::unique_ptr<lab::infra::Sql> database_, observed_;
  std::unique_ptr<OrderDesk> desk_;
};

}  // namespace

Operation ask(OrderDesk& desk, const OrderRequest& request, const Wish& wish) {
  Operation op;
  op.key = request_of(request.id);
  op.value = request.id.value;
  op.aux = wish.packed();
  const auto answer = desk.place(request);
  if (answer) {
    op.value = answer->order.value;
    op.outcome = Outcome::ok;
  } else {
    op.outcome = lab::harness::outcome_of(answer.error());
  }
  return op;
}

const Recipe& recipe_of(const std::vector<Recipe>& recipes, std::string_view variant) {
  for (const auto& recipe : recipes) {
    if (recipe.variant == variant) return recipe;
  }
  throw lab::Failure(fmt::format("no recipe for variant {}", variant));
}

std::filesystem::path history_of(const std::filesystem::path& folder, std::uint32_t client) {
  return folder / fmt::format("client-{}.log", client);
}

std::filesystem::path crash_points_file(const std::filesystem::path& folder) {
  return folder / "crash-points";
}

std::string ClientOrders::text() const {
  return nlohmann::json{{"variant", variant},
                        {"sql_url", sql_url},
                        {"folder", folder.string()},
                        {"client", client},
                        {"life", life},
                        {"seed", seed},
                        {"season", season.number},
                        {"sales", season.sales},
                        {"death_at", death_at},
                        {"death_passing", death_passing},
                        {"death_after_ns", death_after.count()},
                        {"resets", resets}}
      .dump();
}

ClientOrders ClientOrders::parse(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    ClientOrders orders;
    json.at("variant").get_to(orders.variant);
    json.at("sql_url").get_to(orders.sql_url);
    orders.folder = json.at("folder").get<std::string>();
    json.at("client").get_to(orders.client);
    json.at("life").get_to(orders.life);
    json.at("seed").get_to(orders.seed);
    json.at("season").get_to(orders.season.number);
    json.at("sales").get_to(orders.season.sales);
    json.at("death_at").get_to(orders.death_at);
    json.at("death_passing").get_to(orders.death_passing);
    orders.death_after = Nanos(json.at("death_after_ns").get<std::int64_t>());
    json.at("resets").get_to(orders.resets);
    return orders;
  } catch (const nlohmann::json::exception& problem) {
    throw lab::Failure(std::string("a client's orders make no sense: ") + problem.what());
  }
}

int client(const std::vector<Recipe>& recipes) {
  lab::handle_stop_signals();
  try {
    Client(ClientOrders::parse(lab::actors::take_orders()), recipes).buy_until_told_to_stop();
    return lab::harness::kAsPromised;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "client: {}\n", problem.what());
    return lab::harness::kEnvironmentFailed;
  }
}

}  // namespace order_transactions
