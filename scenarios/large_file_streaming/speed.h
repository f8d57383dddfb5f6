#pragma once
// How many MB a second, without faults and without a memory limit.

#include "fault_run.h"

namespace large_file_streaming {

/// Downloads: the small file again and again on one connection, the one between once, then this round's part of the large one.
/// Uploads: one file.
lab::harness::RoundReport run_timed_round(const Setting& setting, int round);

/// What the machine gives for the same part: sendfile in a loop without HTTP, and nginx where it is installed.
std::vector<lab::harness::Limit> measure_limits(const Setting& setting, int round);

// The roles of these two.
inline constexpr const char* kBareRole = "bare-sendfile";
inline constexpr const char* kNginxRole = "nginx";
int bare_main();
int nginx_main();

/// "1.22.1", or empty.
std::string nginx_version();

}  // namespace large_file_streaming
