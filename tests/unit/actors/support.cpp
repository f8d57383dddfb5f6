#include "support.h"

#include <fstream>
#include <string>

namespace lab::actors::test {

bool is_gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return true;
  const auto state = line.rfind(')') + 2;
  return line.at(state) == 'Z' || line.at(state) == 'X';
}

}  // namespace lab::actors::test
