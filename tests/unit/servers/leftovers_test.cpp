// Nothing may be left: no process, no socket, no folder, however the run ends.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/shm.h>

#include <fstream>
#include <random>

#include "core/random.h"
#include "servers/folder.h"
#include "servers/process.h"
#include "support.h"

namespace lab::servers {
namespace {

using test::Program;
using test::TestFolder;

class Leftovers : public ::testing::Test {
 protected:
  void SetUp() override {
    LAB_NEEDS(find_redis());
    LAB_NEEDS(find_mariadb());
    LAB_NEEDS(find_postgres());
    shared_memory_before = shared_memory_segments();
  }

  Program hold(std::vector<std::string> words) {
    words.insert(words.begin(), test::beside_this_test("hold_servers").string());
    return Program(std::move(words), {{"LAB_TMPDIR", root.path().string()}});
  }

  bool nothing_left() const {
    return root.names().empty() && processes_working_in(root.path()).empty() &&
           test::command_lines_with(root.path().string()).empty() &&
           shared_memory_segments() <= shared_memory_before;
  }

  static bool gone(pid_t pid) {
    const auto process = find_process(pid);
    return !process || process->state == 'Z';
  }

  static int shared_memory_segments() {
    shm_info info{};
    ::shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&info));
    return info.used_ids;
  }

  TestFolder root;
  int shared_memory_before = 0;
};

TEST_F(Leftovers, AnOrderlyEndLeavesNothing) {
  auto program = hold({"redis", "mariadb", "postgres"});
  program.lines_up_to("ready");
  EXPECT_EQ(root.names().size(), 3u);
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_TRUE(nothing_left());
}

TEST_F(Leftovers, TheSupervisorIsOutOfReachOfTheTerminalAndOfPkill) {
  auto program = hold({"redis"});
  program.lines_up_to("ready");
  const pid_t supervisor = test::child_of(program.pid());
  ASSERT_GT(supervisor, 0);
  EXPECT_EQ(::getsid(supervisor), supervisor);
  std::ifstream file("/proc/" + std::to_string(supervisor) + "/cmdline");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, std::string("lab_supervisor\0", 15));
}

TEST_F(Leftovers, KilledAtRandomMomentsLeavesNothing) {
  Random random(std::random_device{}());
  for (int round = 0; round < 20; ++round) {
    auto program = hold({"redis", "postgres", "mariadb"});
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(500)));
    const pid_t supervisor = test::child_of(program.pid());
    program.signal(SIGKILL);
    program.wait();
    ASSERT_TRUE(test::eventually(2s, [&] { return nothing_left() && gone(supervisor); }))
        << "round " << round;
  }
}

TEST_F(Leftovers, KilledWhilePreparingDataLeavesNothing) {
  TestFolder cache;
  Random random(std::random_device{}());
  for (int round = 0; round < 6; ++round) {
    Program program(
        {test::beside_this_test("hold_servers").string(), "mariadb", "postgres"},
        {{"LAB_TMPDIR", root.path().string()}, {"XDG_CACHE_HOME", cache.path().string()}});
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(1200)));
    program.signal(SIGKILL);
    program.wait();
    ASSERT_TRUE(test::eventually(
        2s,
        [&] {
          return nothing_left() &&
                 test::output_of({"find", cache.path().string(), "-name", "lab-*"}).empty();
        }))
        << "round " << round;
    test::fs::remove_all(cache.path() / "system-design-lab");
  }
}

TEST_F(Leftovers, PausedServersAreEndedToo) {
  auto program = hold({"--paused", "redis", "mariadb", "postgres"});
  program.lines_up_to("ready");
  program.signal(SIGKILL);
  program.wait();
  EXPECT_TRUE(test::eventually(2s, [&] { return nothing_left(); }));
}

TEST_F(Leftovers, ASupervisorThatIsAskedToEndTakesItsServersAlong) {
  auto program = hold({"redis", "postgres"});
  program.lines_up_to("ready");
  ::kill(test::child_of(program.pid()), SIGTERM);
  EXPECT_TRUE(test::eventually(2s, [&] { return nothing_left(); }));
}

TEST_F(Leftovers, WhenTheSupervisorIsKilledTheServersDieAndTheNextRunSweeps) {
  for (const bool paused : {false, true}) {
    auto program = paused ? hold({"--paused", "redis", "mariadb", "postgres"})
                          : hold({"redis", "mariadb", "postgres"});
    const auto lines = program.lines_up_to("ready");
    ::kill(test::child_of(program.pid()), SIGKILL);
    for (const auto& line : lines) {
      if (line == "ready") continue;
      const pid_t pid = std::stoi(line.substr(line.find(' ')));
      EXPECT_TRUE(test::eventually(2s, [&] { return gone(pid); })) << line;
    }
    EXPECT_EQ(root.names().size(), 3u);
    const test::Variable temporary("LAB_TMPDIR", root.path().string());
    { Supervisor next; }
    EXPECT_TRUE(test::eventually(2s, [&] { return nothing_left(); }));
  }
}

/// RabbitMQ takes seconds to start, so it has a few rounds of its own.
class BrokerLeftovers : public Leftovers {
 protected:
  void SetUp() override {
    LAB_NEEDS(find_rabbitmq());
    epmd_before = test::command_lines_with("/epmd").size();
    shared_memory_before = shared_memory_segments();
  }

  bool no_broker_left() const {
    return nothing_left() && test::command_lines_with("/epmd").size() <= epmd_before;
  }

  std::size_t epmd_before = 0;
};

TEST_F(BrokerLeftovers, KilledAtRandomMomentsLeavesNothing) {
  Random random(std::random_device{}());
  for (int round = 0; round < 4; ++round) {
    auto program = hold({"rabbitmq"});
    std::this_thread::sleep_for(std::chrono::milliseconds(random.below(4000)));
    program.signal(SIGKILL);
    program.wait();
    ASSERT_TRUE(test::eventually(2s, [&] { return no_broker_left(); })) << "round " << round;
  }
}

TEST_F(BrokerLeftovers, WhenTheSupervisorIsKilledItDiesAndTheNextRunSweeps) {
  for (const bool paused : {false, true}) {
    auto program = paused ? hold({"--paused", "rabbitmq"}) : hold({"rabbitmq"});
    const auto line = program.lines_up_to("ready").front();
    const pid_t pid = std::stoi(line.substr(line.find(' ')));
    ::kill(test::child_of(program.pid()), SIGKILL);
    EXPECT_TRUE(test::eventually(2s, [&] { return gone(pid); }));
    const test::Variable temporary("LAB_TMPDIR", root.path().string());
    { Supervisor next; }
    EXPECT_TRUE(test::eventually(2s, [&] { return no_broker_left(); }));
  }
}

}  // namespace
}  // namespace lab::servers
