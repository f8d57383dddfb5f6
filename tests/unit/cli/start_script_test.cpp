// The script `lab` in a folder of its own, with stand-ins for everything that it calls: what it says, what it insists on,
// and what it hands over. That the real packages are the right ones, CI sees on bare systems.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/subprocess.h"
#include "test_support.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class StartScript : public testing::Test {
 protected:
  StartScript() {
    fs::create_directories(root_ / "stand-ins");
    fs::create_directories(root_ / "build/release/bin");
    fs::copy_file(LAB_START_SCRIPT, root_ / "lab");
    stand_in("id", "echo 1000");
    stand_in("sudo", "exit 1");
    stand_in("cmake", "touch build/release/build.ninja");
    stand_in("ninja", "echo '[1/1] Building a.o'");
    stand_in("apt-get", "echo 'apt-get was called' >&2; exit 1");
    all_is_installed();
  }

  void SetUp() override {
    const std::string system = test::text_of("/etc/os-release");
    const bool known = system.find("ID=debian") != std::string::npos ||
                       system.find("ID=ubuntu") != std::string::npos;
    if (!known) GTEST_SKIP() << "the script knows no packages of this system";
  }

  void program(const fs::path& path, const std::string& body) {
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  void stand_in(const std::string& name, const std::string& body) {
    program(root_ / "stand-ins" / name, body);
  }

  void all_is_installed() { installed_but("no-such-package"); }

  /// dpkg-query answers for the packages that it is asked for, after two words of format.
  void installed_but(const std::string& pattern) {
    stand_in("dpkg-query", "shift 3; for p; do case $p in " + pattern +
                               ") ;; *) printf '%s=installed ' \"$p\" ;; esac; done");
  }
  void has_been_built() {
    program(root_ / "build/release/bin/lab", "echo \"lab got: $*\"; exit 7");
  }

  void type(const std::string& words) {
    const std::string line = "PATH=" + (root_ / "stand-ins").string() + ":$PATH; " +
                             (root_ / "lab").string() + " " + words + " </dev/null 2>" +
                             (root_ / "err").string();
    const auto output = run_program({"sh", "-c", line}, 60s);
    ASSERT_TRUE(output) << output.error().message;
    status_ = output->exit_status;
    out_ = output->text;
    err_ = test::text_of(root_ / "err");
  }

  const test::TestFolder root_;
  int status_ = -1;
  std::string out_, err_;
};

TEST_F(StartScript, HandsOverWordsAndStatus) {
  has_been_built();
  type("run cache-aside --seed 7");
  EXPECT_EQ(out_, "lab got: run cache-aside --seed 7\n");
  EXPECT_EQ(status_, 7);
}

TEST_F(StartScript, WithNothingBuiltExplainsItselfAndInstallsNothing) {
  installed_but("*");
  type("");
  EXPECT_EQ(status_, 0);
  EXPECT_THAT(out_, HasSubstr("./lab run cache-aside"));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(StartScript, WithoutARightToInstallNamesTheCommand) {
  has_been_built();
  installed_but("cmake|libpoco-dev");
  type("list");
  EXPECT_EQ(status_, 3);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(
      err_,
      "lab: to build: needs packages that only root can install; have root type: apt-get update && "
      "apt-get install --no-install-recommends cmake libpoco-dev\n");
}

TEST_F(StartScript, TestsNeedMoreThanRuns) {
  has_been_built();
  installed_but("libgtest-dev");
  type("list");
  EXPECT_EQ(status_, 7);
  type("test");
  EXPECT_EQ(status_, 3);
  EXPECT_THAT(err_, HasSubstr("libgtest-dev"));
}

TEST_F(StartScript, WithoutServersWarnsAndGoesOn) {
  has_been_built();
  installed_but("redis-server");
  type("run cache-aside");
  EXPECT_EQ(status_, 7);
  EXPECT_THAT(err_, HasSubstr("apt-get install --no-install-recommends redis-server"));
  EXPECT_THAT(err_, HasSubstr("--backend embedded needs no server"));
}

TEST_F(StartScript, TheEmbeddedBackendAsksForNoServer) {
  has_been_built();
  installed_but("redis-server");
  for (const char* flag : {"--backend embedded", "--backend=embedded"}) {
    type(std::string("run cache-aside ") + flag);
    EXPECT_EQ(status_, 7);
    EXPECT_THAT(err_, Not(HasSubstr("redis-server")));
  }
}

TEST_F(StartScript, ABuildThatFailsShowsWhatTheCompilerSaid) {
  stand_in("ninja", "echo '[1/2] Building a.o'; echo 'a.cpp:1: error: no'; exit 1");
  type("list");
  EXPECT_EQ(status_, 3);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(err_, HasSubstr("a.cpp:1: error: no\n"));
  EXPECT_THAT(err_, Not(HasSubstr("[1/2]")));
}

TEST_F(StartScript, AConfigureThatFailsShowsWhatCMakeSaid) {
  stand_in("cmake", "echo 'CMake Error: no Boost'; exit 1");
  type("list");
  EXPECT_EQ(status_, 3);
  EXPECT_THAT(err_, HasSubstr("CMake Error: no Boost"));
}

TEST_F(StartScript, WorksThroughASymbolicLink) {
  has_been_built();
  fs::create_symlink(root_ / "lab", root_ / "stand-ins/lab-link");
  const auto output = run_program(
      {"sh", "-c", "PATH=" + (root_ / "stand-ins").string() + ":$PATH lab-link list"}, 60s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "lab got: list\n");
}

TEST_F(StartScript, AfterAMoveBuildsAnew) {
  has_been_built();
  std::ofstream(root_ / "build/release/CMakeCache.txt")
      << "CMAKE_HOME_DIRECTORY:INTERNAL=/somewhere/else\n";
  type("list");
  EXPECT_EQ(status_, 7);
  EXPECT_THAT(err_, HasSubstr("has moved"));
  EXPECT_FALSE(fs::exists(root_ / "build/release/CMakeCache.txt"));
}

}  // namespace
}  // namespace lab
