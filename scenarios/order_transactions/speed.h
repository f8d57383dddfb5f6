#pragma once
// Timed rounds: orders per second over many products and over one that everybody wants, without faults; and the same
// statements through the databases' own C clients, which no layer of ours slows down.

#include <memory>
#include <vector>

#include "fault_run.h"
#include "harness/scenario.h"

namespace order_transactions {

inline constexpr std::uint32_t kConnections = 16;
inline constexpr std::int64_t kSpreadProducts = 100;

class Speed {
 public:
  /// `sql` lends kConnections connections and must outlive it.
  Speed(lab::infra::Sql& sql, lab::infra::SqlAddress address, const lab::harness::RunPlan& plan);
  ~Speed();

  lab::harness::RoundReport round(const Recipe& recipe, int index);
  /// None on SQLite: it is a library, not a server. One whose orders failed is left out, with a note.
  std::vector<lab::harness::Limit> limits(int index, lab::harness::EventStream& events);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace order_transactions
