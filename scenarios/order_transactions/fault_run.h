#pragma once
// One variant's fault run: client processes buy while some of them are killed, or their database is, or their connections;
// then the books are read and judged.

#include "backends/backends.h"
#include "recipe.h"
#include "workload.h"

namespace order_transactions {

/// The faults that this scenario has beside those of a database.
inline constexpr const char* kAppCrash = "app-crash";
inline constexpr const char* kReset = "db-reset";

/// References stay valid for the whole run.
struct Setting {
  const lab::harness::RunPlan& plan;
  lab::backends::Backends& backends;
  /// The scenario's own connections: no fault but the database's own touches them.
  lab::infra::Sql& sql;
  const Recipe& recipe;
  Season season;
};

/// How many clients are killed in a run with `app-crash`.
std::size_t planned_kills(const lab::harness::RunPlan& plan);

lab::harness::TrialReport run_with_fault(const Setting& setting, lab::harness::EventStream& events);

}  // namespace order_transactions
