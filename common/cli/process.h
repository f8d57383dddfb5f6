#pragma once
// Other programs: wait for them, read them, or become them.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"

namespace lab::cli {

/// The program's path or, without a slash, its name in PATH; then its arguments.
using Command = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;  // added to that of this process

struct Output {
  int status = 0;    // exit status; 128 + signal when a signal ended it
  std::string text;  // its standard output
};

/// Runs it to its end with this process's stdin, stdout and stderr. Returns its status (as in
/// Output).
Result<int> call(const Command& command, const std::filesystem::path& folder = {},
                 const Environment& added = {});

/// Runs it to its end and keeps its standard output; its stderr is passed on.
Result<Output> read_output(const Command& command, const Environment& added = {});

/// Becomes the program; returns only when that fails.
Error become(const Command& command);

/// Where PATH has the program, or empty.
std::filesystem::path find_program(const std::string& name);

}  // namespace lab::cli
