#pragma once
// One load per key at a time: callers that come while it is under way wait for its answer.

#include <functional>
#include <future>
#include <mutex>
#include <unordered_map>

#include "catalog.h"

namespace cache_aside {

/// Thread-safe. A load must not throw.
class Flights {
 public:
  Result<Product> load_once(ProductId id, const std::function<Result<Product>()>& load) {
    std::promise<Result<Product>> landing;
    {
      std::unique_lock lock(mutex_);
      const auto [flight, first] = in_the_air_.try_emplace(id);
      if (!first) {
        auto answer = flight->second;
        lock.unlock();
        return answer.get();
      }
      flight->second = landing.get_future().share();
    }
    auto product = load();
    {
      const std::lock_guard lock(mutex_);
      in_the_air_.erase(id);
    }
    landing.set_value(product);
    return product;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<ProductId, std::shared_future<Result<Product>>> in_the_air_;
};

}  // namespace cache_aside
