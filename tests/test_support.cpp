#include "test_support.h"

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <thread>

namespace lab::test {

namespace fs = std::filesystem;

bool sanitized() {
  return LAB_SANITIZED != 0;
}

bool eventually(Nanos limit, const std::function<bool()>& condition) {
  for (const Instant end = now() + limit; now() < end; std::this_thread::sleep_for(2ms)) {
    if (condition()) return true;
  }
  return condition();
}

TestFolder::TestFolder() {
  std::string name = "/tmp/lt-XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a folder in /tmp");
  path_ = name;
  fs::permissions(path_, fs::perms(0755));
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> TestFolder::names() const {
  std::vector<std::string> all;
  std::error_code error;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    all.push_back(entry->path().filename().string());
  }
  return all;
}

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace lab::test
