#include "speed.h"

#include <fmt/format.h>

#include <atomic>

#include "books.h"
#include "c_client.h"
#include "client.h"
#include "harness/load.h"

namespace order_transactions {
namespace {

using lab::now;
using lab::infra::SqlEngine;
using namespace lab::harness;
using namespace std::chrono_literals;

constexpr std::int64_t kHotProduct = kSpreadProducts + 1;
constexpr std::int64_t kStock = 1'000'000'000'000;
constexpr Season kRounds{.number = 1'000};  // beyond those of the fault runs

bool is_ok(const Operation& op) {
  return op.outcome == Outcome::ok;
}

/// An order that was not taken is none.
double per_second(const History& history, Nanos took) {
  return static_cast<double>(history.count(is_ok)) / lab::seconds(took);
}

/// Of each order, on average.
double per_order(std::int64_t count, const History& history) {
  return static_cast<double>(count) /
         static_cast<double>(std::max<std::size_t>(1, history.count(is_ok)));
}

}  // namespace

struct Speed::State {
  lab::infra::Sql& sql;
  const lab::infra::SqlAddress address;
  const Timing timing;
  const std::uint64_t seed;
  std::atomic<std::int64_t> requests{kRounds.first_request(0)};
  std::vector<std::unique_ptr<CClient>> c_clients;

  Wish wish(bool hot, lab::Random& random) const {
    return {
        .product = hot ? kHotProduct : 1 + static_cast<std::int64_t>(random.below(kSpreadProducts)),
        .quantity = 1};
  }

  struct Loaded {
    History history;
    Nanos took{};
    std::size_t wrong = 0;
  };

  /// kConnections clients, each as fast as its answers come.
  template <class Place>
  Loaded load(bool hot, Nanos duration, int index, const Place& place) {
    const ClosedLoad closed{.clients = kConnections,
                            .duration = duration,
                            .seed = seed * 1000 + static_cast<std::uint64_t>(index)};
    const auto zero = now();
    Loaded loaded{closed_loop(zero, closed,
                              [&](std::uint32_t client, lab::Random& random) {
                                const auto request =
                                    request_for(requests.fetch_add(1), 0, wish(hot, random));
                                return Operation{.outcome = place(client, request) ? Outcome::ok
                                                                                   : Outcome::fail};
                              }),
                  now() - zero};
    loaded.wrong = loaded.history.size() - loaded.history.count(is_ok);
    return loaded;
  }

  void open_c_clients() {
    const auto open =
        sql.engine() == SqlEngine::mariadb ? open_c_client_of_mariadb : open_c_client_of_postgres;
    while (c_clients.size() < kConnections) c_clients.push_back(open(address));
  }
};

Speed::Speed(lab::infra::Sql& sql, lab::infra::SqlAddress address, const RunPlan& plan)
    : state_(new State{sql, std::move(address), plan.timing, plan.flags.seed}) {
  std::vector<std::pair<ProductId, std::int64_t>> stock;
  for (std::int64_t id = 1; id <= kHotProduct; ++id) stock.emplace_back(ProductId{id}, kStock);
  stock_up(sql, stock);
}

Speed::~Speed() = default;

RoundReport Speed::round(const Recipe& recipe, int index) {
  Observer nobody;
  const auto sql = observed(state_->sql, nobody);
  const auto desk = recipe.make(*sql);
  const auto place = [&](std::uint32_t, const OrderRequest& request) {
    const auto answer = desk->place(request);
    return answer && !answer->sold_out();
  };
  const Nanos half = state_->timing.round / 2;
  if (index == 0) state_->load(false, half / 4, index, place);  // statements are prepared now
  const auto retries_at_first = desk->retries();
  const auto spread = state_->load(false, half, index, place);
  const auto retries_between = desk->retries();
  const auto hot = state_->load(true, half, index, place);

  RoundReport report;
  // Where nobody tries again, an order that lost is no wrong answer.
  if (recipe.retries && spread.wrong + hot.wrong > 0)
    report.spoiled = fmt::format("{} of {} orders failed", spread.wrong + hot.wrong,
                                 spread.history.size() + hot.history.size());
  const auto latencies = spread.history.latencies(is_ok);
  const auto add = [&](std::string name, std::string unit, Better better, double value) {
    report.metrics.push_back({std::move(name), std::move(unit), better, {value}});
  };
  add("orders_per_second", "1/s", Better::higher, per_second(spread.history, spread.took));
  add("order_p50_us", "us", Better::lower, lab::microseconds(latencies.percentile(0.50)));
  add("order_p99_us", "us", Better::lower, lab::microseconds(latencies.percentile(0.99)));
  add("hot_orders_per_second", "1/s", Better::higher, per_second(hot.history, hot.took));
  add("retries_per_order", "1", Better::lower,
      per_order(retries_between - retries_at_first, spread.history));
  add("hot_retries_per_order", "1", Better::lower,
      per_order(desk->retries() - retries_between, hot.history));
  report.histograms["timed_order"] = latencies;
  return report;
}

std::vector<Limit> Speed::limits(int index, EventStream& events) {
  if (state_->sql.engine() == SqlEngine::sqlite) return {};
  state_->open_c_clients();
  const auto place = [&](std::uint32_t client, const OrderRequest& request) {
    return state_->c_clients[client]->place(request);
  };
  std::vector<Limit> limits;
  for (const bool hot : {false, true}) {
    const auto loaded = state_->load(hot, state_->timing.round / 2, index, place);
    Limit limit;
    limit.name = fmt::format("the same statements through the C client, {} connections, {}",
                             kConnections, hot ? "1 product" : "100 products");
    limit.metric = hot ? "hot_orders_per_second" : "orders_per_second";
    limit.unit = "1/s";
    limit.samples = {per_second(loaded.history, loaded.took)};
    if (loaded.wrong == 0) {
      limits.push_back(std::move(limit));
    } else {
      events.emit(
          "note",
          {{"text", fmt::format("{} is left out of round {}: {} of {} orders failed", limit.name,
                                index + 1, loaded.wrong, loaded.history.size())}});
    }
  }
  return limits;
}

}  // namespace order_transactions
