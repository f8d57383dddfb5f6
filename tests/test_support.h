#pragma once
// What all tests share: skipping, values out of results, waiting, a folder of one's own.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

/// A server (servers/server.h: Installed) that is not there skips the test, but fails it in CI, where nothing may be missing.
#define LAB_NEEDS(installed)                                                       \
  if ((installed).program.empty()) {                                               \
    if (std::getenv("CI") != nullptr) FAIL() << (installed).kind << " is missing"; \
    GTEST_SKIP() << (installed).kind << " is not installed";                       \
  }

namespace lab::test {

/// The value, or an exception with the error's text, which fails the test.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(describe(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Is this a build with sanitizers? They look for mistakes in the code, not for rare moments or measured quantities.
bool sanitized();

/// Is it true before the time is up? Looks every two milliseconds, and a last time at the end.
bool eventually(Nanos limit, const std::function<bool()>& condition);

/// A new folder under /tmp, removed with all that is in it. Its path is short enough for Unix sockets, and servers that run
/// as another user can enter it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::vector<std::string> names() const;  // what lies in it

 private:
  std::filesystem::path path_;
};

/// All that is in the file; empty when there is none.
std::string text_of(const std::filesystem::path& file);

}  // namespace lab::test

namespace lab {

/// So that a failed assertion on an error shows it.
inline void PrintTo(const Error& error, std::ostream* out) {
  *out << describe(error);
}

}  // namespace lab
