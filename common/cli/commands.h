#pragma once
// The subcommands of `lab`. Each returns the exit status (harness/exit_status.h).

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "harness/exit_status.h"

namespace lab::cli {

using harness::kEnvironmentFailed;
using harness::kInconclusive;
using harness::kPromiseBroken;
using harness::kUsage;

/// Prints "lab: MESSAGE" to stderr and returns the status, for `return complain(…)`.
int complain(int status, std::string_view message);

/// The scenarios with their questions; as JSON, all that they say of themselves.
int list(bool json);

/// Becomes the scenario's program, with the flags as they were typed.
int run(const std::string& scenario, const std::vector<std::string>& flags);

/// Becomes the scenario's program as the server of one variant, on a port of 127.0.0.1 (0: any).
int serve_variant(const std::string& scenario, const std::string& variant, int port,
                  const std::vector<std::string>& flags);

/// Says what is installed, what is missing and how to get it: 0 when nothing is missing, else 3.
int doctor();

/// Runs the scenario twice, for CPU time and for heap growth, with gperftools. Leaves
/// results/local/<scenario>/profile-<UTC>/ with cpu.txt, flame.svg and heap.txt; prints the top of
/// both.
int profile(const std::string& scenario, const std::string& variant,
            const std::vector<std::string>& flags);

struct TestOptions {
  std::string preset = "release";  // of CMakePresets.json
  std::string label;               // regular expression; empty: all
  std::string name;                // regular expression; empty: all
};

/// Configures, builds and runs CTest on the preset.
int test(const TestOptions& options);

struct JudgeOptions {
  std::string model = "list-append";  // or "register", "kv"
  std::string history;                // a file of docs/formats/history.md; "-": stdin
  std::string level;                  // of list-append; empty: serializable
  bool process_order = false;
  bool real_time_order = false;
  Nanos timeout = 60s;
  std::string html;  // where the timeline of the counter-example goes; empty: nowhere
  bool json = false;
};

/// Prints whether the history keeps what was asked, with the operations that prove the contrary:
/// 0 holds, 1 violated, 2 no such history or a bad one, 4 unknown.
int judge(const JudgeOptions& options);

/// Rewrites the regions of the documents that are taken from sources and results (cli/regions.h). With
/// `check` it changes nothing and returns 1 when a region is out of date. `root` is the top of the
/// repository; empty: this program's own.
int docs(const std::filesystem::path& root, bool check);

}  // namespace lab::cli
