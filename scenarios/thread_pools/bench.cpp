// What a pool costs per task, by number of submitting threads; and what the pieces of it cost.

#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>

#include "hashing.h"
#include "recipes.h"

namespace thread_pools {
namespace {

constexpr std::size_t kLimit = std::size_t{1} << 20;

void make_and_run_a_task(benchmark::State& state) {
  std::uint64_t runs = 0;
  for (auto _ : state) {
    Task task([&runs] { benchmark::DoNotOptimize(++runs); }, [](std::exception_ptr) {});
    Task moved = std::move(task);
    run_safely(moved);
  }
}
BENCHMARK(make_and_run_a_task);

void make_a_future(benchmark::State& state) {
  for (auto _ : state) {
    auto [task, future] = with_future([] { return 1; });
    run_safely(task);
    benchmark::DoNotOptimize(future.get());
  }
}
BENCHMARK(make_a_future);

/// Empty tasks through the pool, until all have run.
void empty_tasks(benchmark::State& state, const Recipe& recipe) {
  const auto tasks = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    std::atomic<std::size_t> ran{0};
    const auto pool = recipe.make({.workers = 2, .queue_limit = kLimit});
    for (std::size_t i = 0; i < tasks; ++i) {
      (void)pool->submit(
          Task([&ran] { ran.fetch_add(1, std::memory_order_relaxed); }, [](std::exception_ptr) {}));
    }
    while (ran < tasks) std::this_thread::yield();
    (void)pool->shutdown(Shutdown::drain);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// There and back: how long until a sleeping pool has done one task.
void one_task_and_wait(benchmark::State& state, const Recipe& recipe) {
  const auto pool = recipe.make({.workers = 2, .queue_limit = kLimit});
  for (auto _ : state) {
    auto [task, future] = with_future([] { return 1; });
    (void)pool->submit(std::move(task));
    benchmark::DoNotOptimize(future.get());
  }
  (void)pool->shutdown(Shutdown::drain);
}

void one_hash(benchmark::State& state) {
  const HashCost cost{.kind = static_cast<HashKind>(state.range(0)),
                      .passes = static_cast<std::uint32_t>(state.range(1)),
                      .memory_kib = static_cast<std::uint32_t>(state.range(2))};
  for (auto _ : state) benchmark::DoNotOptimize(hash_password("correct horse", 1, cost));
}
BENCHMARK(one_hash)
    ->ArgNames({"kind", "passes", "memory_kib"})
    ->Args({static_cast<int>(HashKind::argon2id), 1, 4096})
    ->Args({static_cast<int>(HashKind::argon2id), 2, 19 * 1024})
    ->Args({static_cast<int>(HashKind::pbkdf2), 1000, 0});

bool register_pools() {
  for (const auto& recipe : recipes()) {
    if (recipe.variant == "wait_without_predicate") continue;  // it would hang
    benchmark::RegisterBenchmark(("empty_tasks/" + recipe.variant).c_str(), empty_tasks, recipe)
        ->Arg(recipe.variant == "thread_per_task" ? 100 : 10'000)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("one_task_and_wait/" + recipe.variant).c_str(), one_task_and_wait,
                                 recipe)
        ->UseRealTime();
  }
  return true;
}
const bool registered = register_pools();

}  // namespace
}  // namespace thread_pools
