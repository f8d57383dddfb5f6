#include "workload.h"

namespace cache_aside {

using lab::harness::Operation;
using lab::harness::Outcome;
using lab::harness::outcome_of;

Operation Workload::operate(Catalog& node, lab::Random& random) {
  const ProductId id{static_cast<std::int64_t>(keys_(random)) + 1};
  return random.chance(write_share_) ? write(node, id) : read(node, id);
}

Operation Workload::read(Catalog& node, ProductId id) {
  Operation op{.key = id.value, .kind = kRead};
  const auto product = node.read(id);
  if (product) {
    op.value = product->version;
    op.aux = product->price.value;
  } else {
    op.outcome = Outcome::fail;  // a read that failed changed nothing
  }
  return op;
}

Operation Workload::write(Catalog& node, ProductId id) {
  Operation op{.key = id.value, .aux = next_price().value, .kind = kWrite};
  const auto version = node.reprice(id, Cents{op.aux});
  if (version) {
    op.value = *version;
  } else {
    op.outcome = outcome_of(version.error());
  }
  return op;
}

}  // namespace cache_aside
