#pragma once
// A client of the shop: a process of its own, with one connection. It buys until it is told to stop (SIGTERM), keeps a history
// that outlives it, and asks again when it got no answer: at once, or in its next life.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "actors/kill_plan.h"
#include "core/clock.h"
#include "recipe.h"
#include "workload.h"

namespace order_transactions {

inline constexpr const char* kClientRole = "client";

/// Holds the database's password.
struct ClientOrders {
  std::string variant;
  std::string sql_url;
  std::filesystem::path folder;  // of histories and crash points
  std::uint32_t client = 0;
  std::size_t life = 0;
  std::uint64_t seed = 0;
  Season season;
  std::string death_at;  // a step, or empty
  std::uint64_t death_passing = 0;
  Nanos death_after{};
  bool resets = false;  // its connection is reset while some of its commits are under way

  std::string text() const;
  static ClientOrders parse(const std::string& text);  // throws Failure
};

std::filesystem::path history_of(const std::filesystem::path& folder, std::uint32_t client);
std::filesystem::path crash_points_file(const std::filesystem::path& folder);

/// The role's main. Returns an exit status.
int client(const std::vector<Recipe>& recipes);

/// Asks the desk once and says what came of it: the operation without its times. Sets value, aux and outcome.
lab::harness::Operation ask(OrderDesk& desk, const OrderRequest& request, const Wish& wish);

}  // namespace order_transactions
