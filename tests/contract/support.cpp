#include "support.h"

#include <stdlib.h>

namespace lab::test {

servers::Supervisor& supervisor() {
  static servers::Supervisor one;
  return one;
}

bool eventually(Nanos limit, const std::function<bool()>& condition) {
  const Instant end = now() + limit;
  while (!condition()) {
    if (now() >= end) return false;
    sleep_for(2ms);
  }
  return true;
}

TestFolder::TestFolder() {
  std::string name = "/tmp/lab-contract-XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a folder in /tmp");
  path_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace lab::test
