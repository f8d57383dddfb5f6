#pragma once
// Running another program and reading what it prints. No shell is involved.

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab {

struct ProgramOutput {
  int exit_status = 0;  // 128 + signal when it was killed
  std::string text;     // its standard output
};

/// Starts argv[0] (looked up in PATH), reads its standard output to the end and reaps it. It finds `input` (at most 4 KiB)
/// on its standard input, the place for what must not stand on a command line; its standard error is thrown away. It is
/// killed when the time is up or this process dies.
/// Errors: unavailable (not installed; no) · timeout (unknown) · invalid (input too long; no).
Result<ProgramOutput> run_program(const std::vector<std::string>& argv, Nanos timeout,
                                  const std::string& input = {});

}  // namespace lab
