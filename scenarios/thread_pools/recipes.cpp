#include "recipes.h"

#include "core/result.h"
#include "variants/asio_thread_pool.h"
#include "variants/inline_call.h"
#include "variants/mutex_queue_pool.h"
#include "variants/nested_wait.h"
#include "variants/stealing_pool.h"
#include "variants/tbb_arena.h"
#include "variants/tbb_flow.h"
#include "variants/thread_per_task.h"
#include "variants/wait_without_predicate.h"

namespace thread_pools {
namespace {

template <class Kind>
std::unique_ptr<Pool> make(PoolSize size) {
  return std::make_unique<Kind>(size);
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all{
      {.variant = "inline", .make = make<InlineCall>, .has_workers = false},
      {"thread_per_task", make<ThreadPerTask>},
      {"wait_without_predicate", make<WaitWithoutPredicate>},
      {"mutex_queue_pool", make<MutexQueuePool>},
      {"nested_wait", make<NestedWait>},
      {"asio_thread_pool", make<AsioThreadPool>},
      {.variant = "tbb_arena", .make = make<TbbArena>, .instrumented = false},
      {.variant = "tbb_flow", .make = make<TbbFlow>, .instrumented = false},
      {"stealing_pool", make<StealingPool>},
  };
  return all;
}

const Recipe& recipe_of(const std::string& variant) {
  for (const auto& recipe : recipes()) {
    if (recipe.variant == variant) return recipe;
  }
  throw lab::Failure("no recipe for variant " + variant);
}

}  // namespace thread_pools
