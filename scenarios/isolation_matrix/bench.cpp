// What it costs to hand a step to a transaction's thread and to get its answer: how finely the
// player can interleave. On SQLite, so that no server is
// needed.

#include <benchmark/benchmark.h>

#include <filesystem>

#include "player.h"
#include "workload.h"

namespace isolation_matrix {
namespace {

/// A database that goes with the program.
class Database {
 public:
  Database() {
    std::string pattern = std::filesystem::temp_directory_path() / "isolation-bench-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    lab::infra::SqlAddress address;
    address.path = folder_ / "accounts.sqlite";
    sql_ = lab::infra::connect_sql(address);
    (void)sql_->run("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)");
  }
  ~Database() {
    sql_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  Player player() {
    std::vector<std::unique_ptr<lab::infra::SqlConnection>> transactions;
    for (std::size_t i = 0; i < kTransactions; ++i)
      transactions.push_back(std::move(sql_->acquire().value()));
    return {std::move(transactions), std::move(sql_->acquire().value()), ""};
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<lab::infra::Sql> sql_;
};

/// One transaction of this many reads, and nobody in its way.
void steps(benchmark::State& state) {
  Database database;
  Player player = database.player();
  Script script{"steps", "", {}, [](const Played&) { return false; }};
  for (std::int64_t i = 0; i < state.range(0); ++i)
    script.steps.push_back({T1, "SELECT balance FROM accounts WHERE id = 1"});
  script.steps.push_back({T1, "ROLLBACK"});
  for (auto _ : state) benchmark::DoNotOptimize(player.play(script));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(steps)->Arg(1)->Arg(100)->UseRealTime();

}  // namespace
}  // namespace isolation_matrix
