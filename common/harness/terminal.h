#pragma once
// The run as a person reads it: a reader of the event stream.

#include <cstdio>
#include <memory>

#include "harness/events.h"

namespace lab::harness {

struct TerminalOptions {
  bool plain = false;    // the tables tab-separated, for scripts
  bool quiet = false;    // only the verdict line
  bool colour = false;   // decided by the caller: a terminal, no NO_COLOR, TERM not dumb
  bool animate = false;  // stderr is a terminal: a progress line that rewrites itself; else a line
                         // per five seconds
};

/// Progress goes to stderr, the result to stdout. Colour never alone: ✓ ✗ ? carry the meaning.
std::shared_ptr<EventReader> terminal_view(TerminalOptions options, std::FILE* out = stdout,
                                           std::FILE* progress = stderr);

}  // namespace lab::harness
