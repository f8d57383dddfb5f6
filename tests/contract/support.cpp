#include "support.h"

namespace lab::test {

servers::Supervisor& supervisor() {
  static servers::Supervisor one;
  return one;
}

}  // namespace lab::test
