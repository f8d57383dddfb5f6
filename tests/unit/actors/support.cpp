#include "support.h"

#include <stdlib.h>

#include <fstream>
#include <thread>

namespace lab::actors::test {

TestFolder::TestFolder() {
  char pattern[] = "/tmp/actors-test-XXXXXX";
  path_ = ::mkdtemp(pattern);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool eventually(Nanos limit, const std::function<bool()>& condition) {
  for (const Instant end = now() + limit; now() < end; std::this_thread::sleep_for(1ms)) {
    if (condition()) return true;
  }
  return condition();
}

bool is_gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return true;
  const auto state = line.rfind(')') + 2;
  return line.at(state) == 'Z' || line.at(state) == 'X';
}

}  // namespace lab::actors::test
