#include "servers/folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "servers/files.h"
#include "servers/process.h"
#include "support.h"

namespace lab::servers {
namespace {

using lab::test::text_of;
using test::must;
using test::TestFolder;
using test::fs::path;

path made_in(const path& parent) {
  return must(make_marked_folder(parent, ::geteuid(), ::getegid()));
}

void write_marker(const path& folder, const std::string& text) {
  test::fs::create_directories(folder);
  std::ofstream(folder / ".lab-owner") << text;
}

/// The marker of this very process, as another one with the same number would have left it.
std::string marker_of_another_process(const path& folder) {
  std::istringstream words(text_of(folder / ".lab-owner"));
  std::string pid, start_time, pid_namespace;
  words >> pid >> start_time >> pid_namespace;
  return pid + " 1 " + pid_namespace + "\n";
}

TEST(Folder, IsForItsUserAloneAndMarked) {
  TestFolder root;
  const auto folder = made_in(root.path());
  struct stat info {};
  ASSERT_EQ(::stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  EXPECT_TRUE(text_of(folder / ".lab-owner").starts_with(std::to_string(::getpid()) + " "));
  std::ofstream(folder / "some data") << "x";
  test::fs::create_directories(folder / "more" / "of it");
  EXPECT_TRUE(remove_marked_folder(folder));
  EXPECT_TRUE(root.names().empty());
}

TEST(Folder, WithoutAMarkerIsNeverRemoved) {
  TestFolder root;
  test::fs::create_directory(root.path() / "lab-photos");
  const auto removed = remove_marked_folder(root.path() / "lab-photos");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, ErrorCode::invalid);
  sweep_stale_folders(root.path());
  EXPECT_EQ(root.names().size(), 1u);
}

TEST(Folder, RemovalDoesNotFollowLinks) {
  TestFolder root, elsewhere;
  std::ofstream(elsewhere.path() / "precious") << "x";
  const auto folder = made_in(root.path());
  test::fs::create_symlink(elsewhere.path(), folder / "link");
  EXPECT_TRUE(remove_marked_folder(folder));
  EXPECT_EQ(elsewhere.names().size(), 1u);
}

TEST(Folder, SweepTakesOnlyWhatIsOfADeadProcess) {
  TestFolder root;
  const auto alive = made_in(root.path());
  const auto stale_marker = marker_of_another_process(alive);
  write_marker(root.path() / "lab-stale1", stale_marker);
  write_marker(root.path() / "lab-garble", "no numbers here");
  write_marker(root.path() / "lab-foreign", "1 1 pid:[1]\n");  // of a container that shares /tmp
  write_marker(root.path() / "other", stale_marker);
  sweep_stale_folders(root.path());
  EXPECT_TRUE(test::fs::exists(alive));
  EXPECT_FALSE(test::fs::exists(root.path() / "lab-stale1"));
  EXPECT_EQ(root.names().size(), 4u);
}

TEST(Folder, SweepEndsProcessesThatStillWorkInAStaleFolder) {
  TestFolder root;
  const auto folder = made_in(root.path());
  write_marker(folder, marker_of_another_process(folder));
  test::Program program({"env", "--chdir=" + folder.string(), "sleep", "60"}, {});
  ASSERT_TRUE(test::eventually(5s, [&] { return !processes_working_in(folder).empty(); }));
  sweep_stale_folders(root.path());
  EXPECT_EQ(program.wait(), 128 + 9);
  EXPECT_TRUE(root.names().empty());
}

TEST(Folder, SaysWhereItCannotBeMadeAndWhatToDo) {
  const auto folder = make_marked_folder("/nowhere/at/all", ::geteuid(), ::getegid());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::unavailable);
  EXPECT_NE(folder.error().message.find("LAB_TMPDIR"), std::string::npos);
  EXPECT_NE(folder.error().message.find("/nowhere/at/all"), std::string::npos);
  EXPECT_EQ(folder.error().message.find('\n'), std::string::npos);
}

TEST(Folder, TheTemporaryRootComesFromTheEnvironment) {
  {
    const test::Variable temporary("TMPDIR", "/var/tmp");
    const test::Variable own("LAB_TMPDIR", "/tmp/of mine");
    EXPECT_EQ(temporary_root(), "/tmp/of mine");
  }
  const test::Variable temporary("TMPDIR", "/var/tmp");
  const test::Variable own("LAB_TMPDIR", "");
  EXPECT_EQ(temporary_root(), "/var/tmp");
  const test::Variable none("TMPDIR", "");
  EXPECT_EQ(temporary_root(), "/tmp");
}

TEST(Files, TheLastLineOfALogPrefersAnError) {
  TestFolder root;
  const auto log = root.path() / "log";
  EXPECT_EQ(last_line(log), "its log is empty");
  std::ofstream(log) << "starting\nERROR: no room\nshutting down\n\n";
  EXPECT_EQ(last_line(log), "ERROR: no room");
}

TEST(Files, ACopyHasTheSameContentAndModes) {
  TestFolder root;
  const auto from = root.path() / "from";
  test::fs::create_directories(from / "deep" / "empty");
  std::ofstream(from / "deep" / "file") << std::string(100'000, 'x');
  ::chmod((from / "deep").c_str(), 0700);
  ::chmod((from / "deep" / "file").c_str(), 0600);
  must(copy_folder(from, root.path() / "to", this_user()));
  const auto to = root.path() / "to" / "deep";
  EXPECT_EQ(text_of(to / "file"), std::string(100'000, 'x'));
  EXPECT_TRUE(test::fs::is_directory(to / "empty"));
  struct stat info {};
  ::stat(to.c_str(), &info);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  ::stat((to / "file").c_str(), &info);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST(Files, DatabaseNamesAreHarmless) {
  EXPECT_TRUE(check_database_name("lab_2"));
  for (const char* name : {"", "Lab", "lab; DROP", "lab'", "l-b"}) {
    EXPECT_FALSE(check_database_name(name)) << name;
  }
}

}  // namespace
}  // namespace lab::servers
