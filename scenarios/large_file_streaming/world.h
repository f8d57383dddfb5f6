#pragma once
// The world of a run: a folder with the files that are served, and what is laid out around it. Every variant's server
// serves this folder.

#include <memory>
#include <vector>

#include "harness/scenario.h"
#include "variant_server.h"

namespace large_file_streaming {

lab::harness::Timing timing(const lab::harness::Flags& flags);

std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events,
                                                  std::vector<Recipe> recipes);

/// `lab serve-variant`: the same folder, until a stop is requested.
int serve_variant(const lab::harness::ServeRequest& request, const std::vector<Recipe>& recipes);

}  // namespace large_file_streaming
