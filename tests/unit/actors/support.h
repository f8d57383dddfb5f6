#pragma once
// What the tests of actors share.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "core/clock.h"

namespace lab::actors::test {

/// A new folder under /tmp, removed with all that is in it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Is it true before the time is up?
bool eventually(Nanos limit, const std::function<bool()>& condition);

/// Neither running nor stopped: gone, or dead and not yet reaped by whoever inherited it.
bool is_gone(pid_t pid);

}  // namespace lab::actors::test
