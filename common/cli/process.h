#pragma once
// Handing over to other programs. To read what one prints, see core/subprocess.h.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"

namespace lab::cli {

/// The program's path, or its name in PATH; then its arguments.
using Command = std::vector<std::string>;

struct CallOptions {
  std::filesystem::path folder = {};              // where it runs; empty: where this process does
  std::map<std::string, std::string> added = {};  // to this process's environment
  bool output_to_stderr = false;                  // its result is not our result
  std::filesystem::path log = {};                 // if given, its stdout and stderr go there
};

/// Runs it to its end on this process's stdin, stdout and stderr. Returns its exit status, or
/// 128 + signal when a signal ended it.
Result<int> call(const Command& command, const CallOptions& options = {});

/// Becomes the program; returns only when that fails.
Error become(const Command& command);

}  // namespace lab::cli
