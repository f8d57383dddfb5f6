#pragma once
// The run as a person reads it: a reader of the event stream.

#include <cstdio>
#include <memory>

#include "harness/events.h"

namespace lab::harness {

struct TerminalOptions {
  bool plain = false;     // the tables tab-separated, for scripts
  bool quiet = false;     // only the verdict line, and no progress
  bool colour = false;    // decided by the caller: a terminal, no NO_COLOR, TERM not dumb
  bool animate = false;   // stderr is a terminal: a progress line that rewrites itself; else a line
                          // per five seconds and per fault
  std::size_t width = 0;  // columns; 0: those of the terminal, 100 where there is none
};

/// What ran and what came of it goes to `out`, progress to `progress`; neither is closed. Colour
/// never alone: ✓ ✗ ? carry the meaning.
std::shared_ptr<EventReader> terminal_view(TerminalOptions options, std::FILE* out = stdout,
                                           std::FILE* progress = stderr);

}  // namespace lab::harness
