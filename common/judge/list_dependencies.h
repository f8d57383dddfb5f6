#pragma once
// Which transaction had to come before which, and why (Adya's dependencies, as Elle infers them).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "judge/list_index.h"

namespace lab::judge {

enum class Why : std::uint8_t {
  ww,         // appended to a list behind what the other had appended
  wr,         // read what the other had appended
  rw,         // read a list before the other's append was in it
  process,    // one process did one after the other
  real_time,  // one had returned before the other was invoked
};
std::string_view name(Why why);

struct Dependency {
  Place before = 0, after = 0;
  Why why = Why::ww;
  std::uint32_t key = 0;
  std::optional<Element> first;  // what the list ended in; nothing: it was empty
  Element second = 0;            // what came next (ww, rw)
};

/// ww, wr and rw between committed transactions. The index has been examined.
std::vector<Dependency> data_dependencies(const ListIndex& index);

/// Each transaction and the next of its process. One whose outcome is unknown comes before nothing.
std::vector<Dependency> process_dependencies(const ListIndex& index);

/// Enough pairs to imply every one: of those that had returned, the ones that no later one covers.
std::vector<Dependency> real_time_dependencies(const ListIndex& index);

Precedence explained(const ListIndex& index, const Dependency& dependency);

}  // namespace lab::judge
