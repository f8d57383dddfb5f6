#pragma once
// A counter-example as a page: who did what when, and what had to come before what.

#include <span>
#include <string>

#include "judge/history.h"
#include "judge/judgement.h"

namespace lab::judge {

/// HTML that needs nothing else: no script, nothing from elsewhere, readable on dark and on light.
/// One lane a process; only the operations of the examples, with equal room between events, however
/// far apart they were. Whatever stands in keys and values is shown as text.
std::string timeline_html(std::span<const Transaction> history, const Judgement& judgement,
                          const std::string& title);
std::string timeline_html(std::span<const KeyOperation> history, const Judgement& judgement,
                          const std::string& title);

}  // namespace lab::judge
