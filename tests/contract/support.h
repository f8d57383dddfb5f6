#pragma once
// What the contract tests share.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "servers/server.h"

/// A server that is not installed skips the test, but fails it in CI, where nothing may be missing.
#define LAB_NEEDS(installed)                                                       \
  if ((installed).program.empty()) {                                               \
    if (std::getenv("CI") != nullptr) FAIL() << (installed).kind << " is missing"; \
    GTEST_SKIP() << (installed).kind << " is not installed";                       \
  }

namespace lab::test {

/// The one supervisor of this test program.
servers::Supervisor& supervisor();

/// The value, or an exception with the error's text, which fails the test.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(describe(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Is it true before the time is up? Looks every two milliseconds.
bool eventually(Nanos limit, const std::function<bool()>& condition);

/// A new folder under /tmp, removed with all that is in it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lab::test

namespace lab {

/// So that a failed assertion on an error shows it.
inline void PrintTo(const Error& error, std::ostream* out) {
  *out << describe(error);
}

}  // namespace lab
