// Where servers live: odd folders, full disks, other users.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

namespace lab::servers {
namespace {

using test::must;
using test::Program;
using test::TestFolder;

struct Ended {
  int status;
  std::vector<std::string> lines;
};

/// Starts servers with hold_servers, ends it in good order as soon as they are ready.
Ended hold_briefly(std::vector<std::string> words, std::map<std::string, std::string> variables) {
  Program program(std::move(words), std::move(variables));
  Ended ended{};
  for (auto line = program.next_line(); !line.empty(); line = program.next_line()) {
    ended.lines.push_back(line);
    if (line == "ready") program.signal(SIGTERM);
  }
  ended.status = program.wait();
  return ended;
}

std::string holder() {
  return test::beside_this_test("hold_servers").string();
}

/// Does a server of this kind start in a folder that has an odd name?
void expect_to_run_in_an_odd_folder(const char* kind) {
  TestFolder root;
  const auto odd = root.path() / "it's a, \"folder\"";
  test::fs::create_directory(odd);
  ::chmod(odd.c_str(), 0755);
  const auto ended = hold_briefly({holder(), kind}, {{"LAB_TMPDIR", odd.string()},
                                                     {"XDG_CACHE_HOME", (odd / "cache").string()}});
  EXPECT_EQ(ended.status, 0) << kind << ": " << (ended.lines.empty() ? "" : ended.lines.back());
}

TEST(Surroundings, FoldersMayHaveSpacesQuotesAndCommas) {
  for (const auto& [kind, installed] : {std::pair{"redis", find_redis()},
                                        {"mariadb", find_mariadb()},
                                        {"postgres", find_postgres()}}) {
    LAB_NEEDS(installed);
    expect_to_run_in_an_odd_folder(kind);
  }
}

TEST(Surroundings, ABrokersFolderMayHaveThemToo) {
  LAB_NEEDS(find_rabbitmq());
  expect_to_run_in_an_odd_folder("rabbitmq");
}

TEST(Surroundings, ATooLongFolderIsOneClearLine) {
  LAB_NEEDS(find_redis());
  TestFolder root;
  const auto deep = root.path() / std::string(100, 'x');
  test::fs::create_directory(deep);
  const auto ended = hold_briefly({holder(), "redis"}, {{"LAB_TMPDIR", deep.string()}});
  EXPECT_EQ(ended.status, 3);
  ASSERT_EQ(ended.lines.size(), 1u);
  EXPECT_NE(ended.lines[0].find("longer than 107 bytes; set LAB_TMPDIR"), std::string::npos);
}

TEST(Surroundings, AMissingFolderIsOneClearLine) {
  const auto ended = hold_briefly({holder(), "redis"}, {{"LAB_TMPDIR", "/nowhere/at/all"}});
  LAB_NEEDS(find_redis());
  EXPECT_EQ(ended.status, 3);
  ASSERT_EQ(ended.lines.size(), 1u);
  EXPECT_NE(ended.lines[0].find("/nowhere/at/all"), std::string::npos);
  EXPECT_NE(ended.lines[0].find("LAB_TMPDIR"), std::string::npos);
}

/// A tmpfs of so many bytes, for as long as it lives.
class SmallDisk {
 public:
  explicit SmallDisk(const char* options) {
    mounted_ = ::mount("tmpfs", root_.path().c_str(), "tmpfs", 0, options) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount(root_.path().c_str());
  }
  bool mounted() const { return mounted_; }
  const test::fs::path& path() const { return root_.path(); }

 private:
  TestFolder root_;
  bool mounted_ = false;
};

TEST(Surroundings, AFullDiskIsOneClearLine) {
  for (const char* options : {"size=4k,mode=1777", "size=10m,mode=1777"}) {
    SmallDisk disk(options);
    if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
    const std::string filler = disk.path() / "filler";
    test::output_of({"dd", "if=/dev/zero", "of=" + filler, "bs=4k"});
    for (const char* kind : {"redis", "mariadb", "postgres", "rabbitmq"}) {
      if (kind == std::string("rabbitmq") && find_rabbitmq().program.empty()) continue;
      const auto ended = hold_briefly({holder(), kind}, {{"LAB_TMPDIR", disk.path().string()}});
      EXPECT_EQ(ended.status, 3) << kind;
      ASSERT_EQ(ended.lines.size(), 1u);
      EXPECT_TRUE(ended.lines[0].starts_with("exhausted (did not happen)")) << ended.lines[0];
      EXPECT_NE(ended.lines[0].find(disk.path().string()), std::string::npos) << ended.lines[0];
      EXPECT_NE(ended.lines[0].find("LAB_TMPDIR"), std::string::npos) << ended.lines[0];
    }
  }
}

TEST(Surroundings, ADiskTooSmallForADatabaseIsOneClearLine) {
  SmallDisk disk("size=20m,mode=1777");
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  for (const auto& [kind, installed] :
       {std::pair{"mariadb", find_mariadb()}, {"postgres", find_postgres()}}) {
    LAB_NEEDS(installed);
    // Without prepared data as well as with it.
    for (const char* cache : {"/nowhere/at/all", "/tmp/lt-cache"}) {
      const auto ended = hold_briefly(
          {holder(), kind}, {{"LAB_TMPDIR", disk.path().string()}, {"XDG_CACHE_HOME", cache}});
      EXPECT_EQ(ended.status, 3);
      ASSERT_EQ(ended.lines.size(), 1u);
      EXPECT_TRUE(ended.lines[0].starts_with("exhausted (did not happen)")) << ended.lines[0];
      EXPECT_NE(ended.lines[0].find("LAB_TMPDIR"), std::string::npos) << ended.lines[0];
    }
  }
  EXPECT_TRUE(test::output_of({"find", disk.path().string(), "-mindepth", "1"}).empty());
}

/// Starts servers as the user `nobody`, out of a copy of the programs, because the build folder may
/// be out of that user's reach.
class AsAnOrdinaryUser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "this is one: the other tests show it";
    for (const char* program : {"hold_servers", "lab_supervisor"}) {
      test::fs::copy_file(test::beside_this_test(program), root.path() / program);
    }
    ::chmod(root.path().c_str(), 01777);
  }

  void expect_to_run(const std::vector<std::string>& kinds, const std::string& home) const {
    std::vector<std::string> words{"setpriv",
                                   "--reuid=65534",
                                   "--regid=65534",
                                   "--clear-groups",
                                   "--",
                                   root.path() / "hold_servers"};
    words.insert(words.end(), kinds.begin(), kinds.end());
    const auto ended = hold_briefly(
        words, {{"LAB_TMPDIR", root.path().string()}, {"HOME", home}, {"XDG_CACHE_HOME", ""}});
    EXPECT_EQ(ended.status, 0) << (ended.lines.empty() ? "" : ended.lines.back());
    for (const auto& name : root.names()) EXPECT_FALSE(name.starts_with("lab-")) << name;
  }

  TestFolder root;
};

TEST_F(AsAnOrdinaryUser, TheyRun) {
  LAB_NEEDS(find_redis());
  LAB_NEEDS(find_mariadb());
  LAB_NEEDS(find_postgres());
  // Once without a home to keep prepared data in, once with one, once with the data prepared.
  const auto home = (root.path() / "home").string();
  for (const auto& path : {std::string("/nonexistent"), home, home}) {
    expect_to_run({"redis", "mariadb", "postgres"}, path);
  }
  EXPECT_TRUE(test::fs::exists(root.path() / "home" / ".cache" / "system-design-lab"));
}

TEST_F(AsAnOrdinaryUser, ABrokerRuns) {
  LAB_NEEDS(find_rabbitmq());
  expect_to_run({"rabbitmq"}, "/nonexistent");
}

TEST(Surroundings, TwoRunsMayPrepareTheSameDataAtOnce) {
  LAB_NEEDS(find_mariadb());
  LAB_NEEDS(find_postgres());
  TestFolder cache;
  const std::map<std::string, std::string> variables{{"XDG_CACHE_HOME", cache.path().string()}};
  Program first({holder(), "mariadb", "postgres"}, variables);
  Program second({holder(), "mariadb", "postgres"}, variables);
  EXPECT_EQ(first.lines_up_to("ready").size(), 3u);
  EXPECT_EQ(second.lines_up_to("ready").size(), 3u);
  first.signal(SIGTERM);
  second.signal(SIGTERM);
  EXPECT_EQ(first.wait() + second.wait(), 0);
  const auto kept = test::fs::directory_iterator(cache.path() / "system-design-lab");
  std::size_t count = 0;
  for (const auto& entry : kept) {
    ++count;
    struct stat info {};
    ::stat(entry.path().c_str(), &info);
    EXPECT_EQ(info.st_mode & 0077, 0u) << entry.path() << " is readable by others";
  }
  EXPECT_EQ(count, 2u);
}

TEST(Surroundings, WhatIsMissingIsNamedWithTheWayToGetIt) {
  const test::Variable path("PATH", "/nowhere");
  for (const auto& installed : {find_redis(), find_mariadb(), find_postgres(), find_rabbitmq()}) {
    EXPECT_FALSE(installed.how_to_get.empty());
    EXPECT_EQ(installed.program.empty(), installed.version.empty());
  }
}

}  // namespace
}  // namespace lab::servers
