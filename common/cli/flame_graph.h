#pragma once
// A CPU profile as one picture (the flame graph of Gregg 2011): a box per function, as wide as its
// share of the samples, standing on its caller. Boxes next to each other are sorted by name, not by
// time.

#include <string>
#include <string_view>

namespace lab::cli {

/// `stacks` has a line per distinct stack: "outermost;…;innermost count" (google-pprof
/// --collapsed). The SVG needs no script; hovering over a box shows its full name and share. Boxes
/// too narrow to see are left out.
std::string flame_graph(std::string_view stacks, std::string_view title);

}  // namespace lab::cli
