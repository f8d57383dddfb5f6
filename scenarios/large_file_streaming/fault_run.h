#pragma once
// One variant's fault run: a server under a memory limit is asked for everything that the checks want to know.

#include <filesystem>
#include <string>

#include "checks.h"
#include "harness/scenario.h"
#include "net/server_process.h"

namespace large_file_streaming {

/// What a run needs. References stay valid for the whole run.
struct Setting {
  const lab::harness::RunPlan& plan;
  const Recipe& recipe;
  Sizes sizes;
  std::filesystem::path root;  // the folder that is served
  const std::string& canary;   // what the files around it hold
};

/// The name of the sparse file of that size below /files/; all variants send these.
std::string sparse_name(std::uint64_t size);

/// As much as sanitizers leave of it: they need more address space than the limit has.
std::optional<std::uint64_t> memory_limit();

lab::net::ServerOptions server_options(const Setting& setting, const ServeOrders& orders,
                                       std::optional<std::uint64_t> limit);
ServeOrders serve_orders(const Setting& setting);

lab::harness::TrialReport run_with_fault(const Setting& setting, lab::harness::EventStream& events);

}  // namespace large_file_streaming
