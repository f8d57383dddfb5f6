#pragma once
// The world that a run of this scenario happens in: a Redis, and a process for each variant.

#include <memory>

#include "harness/scenario.h"
#include "serving.h"

namespace blocking_vs_async_io {

lab::harness::Timing timing(const lab::harness::Flags& flags);
std::unique_ptr<lab::harness::Session> open_world(lab::harness::RunPlan& plan,
                                                  lab::harness::EventStream& events);

/// `lab serve-variant`.
int serve_alone(const lab::harness::ServeRequest& request);

}  // namespace blocking_vs_async_io
