#pragma once
// How fast, without faults: what a pool adds to the work, and how much of the cores it leaves to the work.

#include "harness/scenario.h"
#include "recipes.h"
#include "workload.h"

namespace thread_pools {

/// Measured once in a run, the same for all variants.
struct RoundOrders {
  std::string variant;
  std::size_t cores = 2;
  Nanos length{};                  // of one measurement, about
  HashCost pbkdf2, argon2id;       // about a millisecond each
  std::uint64_t steps_per_us = 1;  // of compute()
  std::size_t logins = 24;
  std::uint64_t seed = 1;
};

std::string to_json(const RoundOrders& orders);
RoundOrders round_orders_from_json(const std::string& text);

/// One round of one variant, in this process: it hangs if the variant does.
lab::harness::RoundReport measure_round(const RoundOrders& orders);

/// The role's main: a round in a process of its own, told to the run as one line of JSON.
int round_main();
inline constexpr const char* kRoundRole = "round";
/// What round_main() told. Throws nlohmann::json::exception when it is something else.
lab::harness::RoundReport report_from_json(const std::string& text);

/// One core alone, as many times as there are cores; an empty task in a bare loop.
std::vector<lab::harness::Limit> measure_limits(const RoundOrders& orders);

}  // namespace thread_pools
