#pragma once
// How each variant is made.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pool.h"

namespace thread_pools {

struct Recipe {
  std::string variant;
  std::function<std::unique_ptr<Pool>(PoolSize)> make;
  bool instrumented = true;  // false: a library that ThreadSanitizer cannot see into
  bool has_workers = true;   // false: a task runs on the thread of who submits it
};

/// In the order of the essay.
const std::vector<Recipe>& recipes();

/// Throws lab::Failure when there is none of that name.
const Recipe& recipe_of(const std::string& variant);

}  // namespace thread_pools
