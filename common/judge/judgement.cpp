#include "judge/judgement.h"

namespace lab::judge {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds: return "holds";
    case Verdict::violated: return "violated";
    case Verdict::unknown: return "unknown";
  }
  return "unknown";
}

}  // namespace lab::judge
