#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "servers/process.h"
#include "support.h"

namespace lab::servers {
namespace {

using test::ask;
using test::must;

class Redis : public ::testing::Test {
 protected:
  void SetUp() override { LAB_NEEDS(find_redis()); }
};

int mode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 07777) : -1;
}

TEST_F(Redis, AnswersWhenItIsReturned) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis());
  EXPECT_EQ(ask(redis->socket(), "PING\r\n"), "+PONG\r\n");
  EXPECT_EQ(redis->kind(), "redis");
  EXPECT_EQ(redis->version(), find_redis().version);
  EXPECT_FALSE(redis->version().empty());
  EXPECT_EQ(redis->port(), 0);
  EXPECT_GT(redis->pid(), 0);
  EXPECT_EQ(mode_of(redis->folder()), 0700);
  EXPECT_TRUE(redis->start()) << "starting what runs does nothing";
}

TEST_F(Redis, IsGoneWithItsFolderAfterwards) {
  std::filesystem::path folder;
  int pid = 0;
  Supervisor supervisor;
  {
    const auto redis = must(supervisor.redis());
    folder = redis->folder();
    pid = redis->pid();
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(Redis, KilledItRefusesAndStartedAgainItAnswers) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis({.tcp = true}));
  const int port = redis->port();
  ASSERT_GT(port, 0);
  EXPECT_EQ(ask(redis->socket(), "SET key value\r\n"), "+OK\r\n");
  must(redis->kill());
  EXPECT_EQ(redis->pid(), 0);
  EXPECT_EQ(ask(redis->socket(), "PING\r\n"), "");
  must(redis->kill());  // killing the dead does nothing
  must(redis->start());
  EXPECT_EQ(redis->port(), port);
  EXPECT_EQ(ask(redis->socket(), "GET key\r\n"), "$-1\r\n") << "nothing was to be kept";
}

TEST_F(Redis, PausedItAcceptsAndDoesNotAnswer) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis());
  must(redis->pause());
  EXPECT_EQ(ask(redis->socket(), "PING\r\n", 50ms), "");
  EXPECT_FALSE(redis->start()) << "it is paused, so it does not answer";
  must(redis->resume());
  EXPECT_EQ(ask(redis->socket(), "PING\r\n"), "+PONG\r\n");
  must(redis->pause());
  must(redis->restart());  // also out of a pause
  EXPECT_EQ(ask(redis->socket(), "PING\r\n"), "+PONG\r\n");
}

TEST_F(Redis, PausingOrResumingTheDeadIsAnError) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis());
  must(redis->kill());
  EXPECT_EQ(redis->pause().error().code, ErrorCode::not_found);
  EXPECT_EQ(redis->resume().error().code, ErrorCode::not_found);
}

TEST_F(Redis, NoticesThatItWasKilledByOthers) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis());
  ::kill(redis->pid(), SIGKILL);
  EXPECT_TRUE(test::eventually(2s, [&] { return redis->pid() == 0; }));
  must(redis->start());
  EXPECT_EQ(ask(redis->socket(), "PING\r\n"), "+PONG\r\n");
}

TEST_F(Redis, WithASnapshotKeepsWhatWasSaved) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis({.snapshots = true}));
  EXPECT_EQ(ask(redis->socket(), "SET key old\r\n"), "+OK\r\n");
  EXPECT_EQ(ask(redis->socket(), "SAVE\r\n"), "+OK\r\n");
  EXPECT_EQ(ask(redis->socket(), "SET key new\r\n"), "+OK\r\n");
  must(redis->restart());
  EXPECT_EQ(ask(redis->socket(), "STRLEN key\r\n"), ":3\r\n");
  EXPECT_EQ(ask(redis->socket(), "APPEND key x\r\n"), ":4\r\n");
}

TEST_F(Redis, WithoutSnapshotsForgetsEvenWhatWasSaved) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis());
  EXPECT_EQ(ask(redis->socket(), "SET key value\r\n"), "+OK\r\n");
  EXPECT_EQ(ask(redis->socket(), "SAVE\r\n"), "+OK\r\n");
  must(redis->restart());
  EXPECT_EQ(ask(redis->socket(), "EXISTS key\r\n"), ":0\r\n");
}

TEST_F(Redis, AnAppendOnlyFileKeepsWhatWasAcknowledged) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis({.append_only = true, .appendfsync = "always"}));
  EXPECT_EQ(ask(redis->socket(), "SET key value\r\n"), "+OK\r\n");
  must(redis->restart());
  EXPECT_EQ(ask(redis->socket(), "EXISTS key\r\n"), ":1\r\n");
}

TEST_F(Redis, ListensOnTheLoopbackAddressOnly) {
  Supervisor supervisor;
  const auto redis = must(supervisor.redis({.tcp = true}));
  EXPECT_EQ(test::listening_addresses({redis->pid()}), std::vector<std::string>{"127.0.0.1"});
  const auto quiet = must(supervisor.redis());
  EXPECT_TRUE(test::listening_addresses({quiet->pid()}).empty());
}

TEST_F(Redis, RunsOnTheChosenCpusWithoutCoreDumpsOrNewPrivileges) {
  Supervisor supervisor;
  supervisor.place({0});
  const auto redis = must(supervisor.redis());
  const auto process = "/proc/" + std::to_string(redis->pid());
  const auto status = test::output_of({"cat", process + "/status"});
  EXPECT_NE(status.find("Cpus_allowed_list:\t0\n"), std::string::npos);
  EXPECT_NE(status.find("NoNewPrivs:\t1\n"), std::string::npos);
  const auto limits = test::output_of({"cat", process + "/limits"});
  EXPECT_NE(limits.find("Max core file size        0                    0"), std::string::npos);
}

TEST_F(Redis, ManyThreadsMayUseIt) {
  Supervisor supervisor;
  const auto first = must(supervisor.redis());
  const auto second = must(supervisor.redis());
  const auto tease = [](RedisServer& redis) {
    for (int i = 0; i < 5; ++i) {
      must(redis.pause());
      must(redis.resume());
      must(redis.restart());
    }
  };
  std::thread other([&] { tease(*first); });
  tease(*second);
  other.join();
  EXPECT_EQ(ask(first->socket(), "PING\r\n"), "+PONG\r\n");
  EXPECT_EQ(ask(second->socket(), "PING\r\n"), "+PONG\r\n");
}

TEST_F(Redis, WithoutItsSupervisorEveryCallSaysSo) {
  const test::TestFolder root;  // its folder stays behind
  const test::Variable temporary("LAB_TMPDIR", root.path().string());
  Supervisor supervisor;
  const auto redis = must(supervisor.redis());
  const int pid = redis->pid();
  ::kill(test::child_of(::getpid()), SIGKILL);
  EXPECT_TRUE(test::eventually(2s, [&] {
    const auto process = find_process(pid);
    return !process || process->state == 'Z';
  })) << "it dies with it";
  const auto started = redis->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::unavailable);
  const auto another = supervisor.redis();
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace lab::servers
