// A check of cache_aside that has excuses is seen to fail on whole runs of variants that hang: nobody makes an excuse for itself.

#include <gtest/gtest.h>

#include <thread>

#include "variants/lease.h"
#include "world.h"

namespace cache_aside {
namespace {

using namespace std::chrono_literals;
using lab::harness::Verdict;

/// Never lets go of the lease of the hot product. When its entry has expired, everybody waits in vain for who holds the lease,
/// and then loads at once.
class NeverReleased : public Catalog {
 public:
  NeverReleased(lab::infra::Redis& redis, ProductRepository& store, Times times, std::uint64_t node)
      : redis_(redis),
        cache_(redis),
        store_(store),
        times_(times),
        others_(redis, store, times, node) {}

  Result<Product> read(ProductId id) override {
    if (id.value != kHotProduct) return others_.read(id);
    for (const auto patience = lab::now() + times_.lease / 2; lab::now() < patience; wait()) {
      const auto cached = cache_.get(id);
      if (cached && *cached) return **cached;
      const auto lease = redis_.set("lease:hot", "taken", {.only_if_absent = true});
      if (!lease || !*lease) continue;
      auto product = store_.find(id);
      if (product) (void)cache_.put(*product, times_.ttl);
      return product;
    }
    return store_.find(id);
  }

  Result<std::int64_t> reprice(ProductId id, Cents price) override {
    return others_.reprice(id, price);
  }

 protected:
  virtual void wait() { std::this_thread::sleep_for(1ms); }

 private:
  lab::infra::Redis& redis_;
  ProductCache cache_;
  ProductRepository& store_;
  Times times_;
  Lease others_;
};

/// And asks again as fast as it can, so that its readers want for a core all the while.
class NeverReleasedNorPatient : public NeverReleased {
 public:
  using NeverReleased::NeverReleased;

 private:
  void wait() override {}
};

template <class Mutant>
Verdict one_load_per_expiry() {
  lab::harness::RunPlan plan;
  plan.flags.duration = 200ms;
  plan.backend = lab::harness::Backend::embedded;
  plan.fault = "none";
  plan.timing = timing(plan.flags);
  lab::harness::EventStream events;
  Recipe recipe{
      .variant = "mutant",
      .make = [](auto& redis, auto& store, Times times,
                 auto node) { return std::make_unique<Mutant>(redis, store, times, node); },
      .freshness = Recipe::Freshness::within_ttl};
  const auto world = open_world(plan, events, {recipe});
  lab::harness::Variant variant;
  variant.name = recipe.variant;
  for (const auto& [check, result] : world->trial(variant, events).checks) {
    if (check == "one-load-per-expiry") {
      return result.verdict;
    }
  }
  ADD_FAILURE() << "it was not judged";
  return Verdict::inconclusive;
}

/// A machine that stands still all through a run may excuse anybody, but not run after run.
template <class Mutant>
void expect_found_out() {
  auto verdict = Verdict::inconclusive;
  for (int run = 0; run < 3 && verdict == Verdict::inconclusive; ++run)
    verdict = one_load_per_expiry<Mutant>();
  EXPECT_EQ(verdict, Verdict::violated);
}

TEST(CacheAsideMutants, WhoMakesItsOwnReadersHangHasNoExcuse) {
  expect_found_out<NeverReleased>();
}

TEST(CacheAsideMutants, WhoMakesItsOwnReadersLackACoreHasNoExcuse) {
  expect_found_out<NeverReleasedNorPatient>();
}

}  // namespace
}  // namespace cache_aside
