#pragma once
// The database as the scenario watches it: a repository around the real one that counts loads, can
// make queries slow, and can hold a reader between its database read and its cache fill. The
// variants do not notice it.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "catalog.h"
#include "core/clock.h"

namespace cache_aside {

struct StoreRead {
  ProductId id;
  lab::Instant began, ended;
  lab::Nanos no_core{};  // meanwhile: its thread was ready to run and had none
};

/// Thread-safe, as the repository inside.
class ObservedStore : public ProductRepository {
 public:
  explicit ObservedStore(ProductRepository& inner) : inner_(inner) {}

  Result<Product> find(ProductId id) override;
  Result<std::vector<Product>> find_all() override { return inner_.find_all(); }
  Result<std::int64_t> update_price(ProductId id, Cents price) override {
    return inner_.update_price(id, price);
  }

  /// Keeps a record of every read that begins from now on, and forgets the earlier ones.
  void start_recording();
  std::vector<StoreRead> stop_recording();
  /// All the no_core of what the calling thread has had recorded, by any store.
  static lab::Nanos no_core_of_this_thread();

  /// Every read takes this much longer, as a slow query does.
  void set_extra_latency(lab::Nanos latency) { extra_latency_ = latency; }

  /// The barrier: the next reader of the key gets its row from the database and is then held, the
  /// row in its hand, until release().
  void hold_next_reader_of(ProductId id);
  bool wait_until_held(lab::Nanos limit);
  void release();

 private:
  void wait_at_barrier(ProductId id);

  ProductRepository& inner_;
  std::atomic<lab::Nanos> extra_latency_{lab::Nanos{}};
  std::atomic<bool> recording_{false};
  std::atomic<bool> barrier_set_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StoreRead> recorded_;
  std::optional<ProductId> wanted_;
  bool held_ = false;
};

}  // namespace cache_aside
