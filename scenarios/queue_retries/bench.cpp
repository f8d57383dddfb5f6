// What the pieces cost, one by one, on Google Benchmark: a retry's delay, a payload's way to text and back, and a whole
// turn (enqueue, claim, complete) of the queue on SQLite, for one job and for a batch.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "queue/sql_queue.h"
#include "workload.h"

namespace queue_retries {
namespace {

using namespace std::chrono_literals;

void retry_delay(benchmark::State& state) {
  const lab::queue::RetryPolicy policy{};
  int attempt = 0;
  for (auto _ : state) benchmark::DoNotOptimize(policy.delay("email-17", 1 + attempt++ % 5));
}
BENCHMARK(retry_delay);

void encode_payload(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(encode({.number = 17}));
}
BENCHMARK(encode_payload);

void decode_payload(benchmark::State& state) {
  const std::string payload = encode({.number = 17});
  for (auto _ : state) benchmark::DoNotOptimize(decode(payload));
}
BENCHMARK(decode_payload);

/// A database of its own, gone with the program.
struct Database {
  Database() : folder("/tmp/lab-queue-bench-" + std::to_string(getpid())) {
    std::filesystem::create_directory(folder);
    sql = lab::infra::connect_sql(
        {.engine = lab::infra::SqlEngine::sqlite, .path = (folder / "queue.sqlite").string()});
    (void)lab::queue::SqlJobQueue::create_tables(*sql);
  }
  ~Database() {
    sql.reset();
    std::filesystem::remove_all(folder);
  }
  std::filesystem::path folder;
  std::unique_ptr<lab::infra::Sql> sql;
};

void sqlite_turn(benchmark::State& state) {
  Database database;
  lab::queue::SqlJobQueue queue(*database.sql);
  const auto batch = static_cast<std::size_t>(state.range(0));
  const std::vector<lab::queue::NewJob> jobs(batch, {.payload = encode({.number = 17})});
  for (auto _ : state) {
    if (!queue.enqueue(jobs)) state.SkipWithError("enqueue failed");
    const auto claimed = queue.claim({.worker = "bench", .most = batch});
    std::vector<lab::queue::Receipt> receipts;
    for (const auto& job : *claimed) receipts.push_back(job.receipt());
    if (!queue.complete(receipts)) state.SkipWithError("complete failed");
  }
  state.counters["jobs_per_second"] = benchmark::Counter(
      static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}
BENCHMARK(sqlite_turn)->Arg(1)->Arg(16)->UseRealTime();

}  // namespace
}  // namespace queue_retries
