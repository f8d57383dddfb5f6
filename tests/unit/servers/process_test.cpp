#include "servers/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "support.h"

namespace lab::servers {
namespace {

TEST(Process, FindsItself) {
  const auto self = find_process(::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->pid, ::getpid());
  EXPECT_EQ(self->parent, ::getppid());
  EXPECT_GT(self->start_time, 0u);
  EXPECT_FALSE(find_process(0x7ffffff0));
}

TEST(Process, ANameWithBracketsAndSpacesDoesNotConfuseIt) {
  test::TestFolder folder;
  const auto odd = folder.path() / "a) R 1 (b";
  test::fs::copy_file("/bin/sleep", odd);
  test::Program program({odd.string(), "60"}, {});
  EXPECT_TRUE(
      test::eventually(5s, [&] { return test::command_lines_with(odd.string()).size() == 1; }));
  const auto process = find_process(program.pid());
  ASSERT_TRUE(process);
  EXPECT_EQ(process->parent, ::getpid());
}

TEST(Process, ATreeListsParentsBeforeChildren) {
  const std::vector<Process> all = {{40, 30, 'S', 1}, {30, 20, 'S', 1}, {20, 1, 'S', 1},
                                    {21, 1, 'S', 1},  {31, 20, 'S', 1}, {1, 0, 'S', 1}};
  std::vector<pid_t> pids;
  for (const auto& process : tree_of(20, all)) pids.push_back(process.pid);
  EXPECT_EQ(pids, (std::vector<pid_t>{20, 30, 31, 40}));
  EXPECT_TRUE(tree_of(99, all).empty());
}

TEST(Process, KnowsWhetherItIsStopped) {
  test::Program program({"sleep", "60"}, {});
  EXPECT_FALSE(fully_stopped(program.pid()));
  program.signal(SIGSTOP);
  EXPECT_TRUE(test::eventually(5s, [&] { return fully_stopped(program.pid()); }));
  program.signal(SIGCONT);
  EXPECT_TRUE(test::eventually(5s, [&] { return !fully_stopped(program.pid()); }));
}

}  // namespace
}  // namespace lab::servers
