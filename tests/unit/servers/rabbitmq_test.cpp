// One broker for all tests here, because it takes seconds to start.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "servers/wire.h"
#include "support.h"

namespace lab::servers {
namespace {

using lab::test::text_of;
using test::must;

class Rabbit : public ::testing::Test {
 protected:
  void SetUp() override {
    LAB_NEEDS(find_rabbitmq());
    if (!shared) shared = std::make_unique<Shared>();
    rabbit = shared->rabbit.get();
    must(rabbit->start());
  }
  static void TearDownTestSuite() { shared.reset(); }

  /// Does it greet a client of its protocol? The first frame is a method on channel 0.
  bool greets(Nanos limit = 5s) const {
    auto wire = Wire::open_port(rabbit->port(), limit);
    if (!wire || !wire->send(std::string_view("AMQP\x00\x00\x09\x01", 8))) return false;
    const auto header = wire->receive(7);
    return header && header->starts_with(std::string("\1\0\0", 3));
  }

  std::vector<pid_t> its_processes() const {
    auto pids = test::descendants_of(rabbit->pid());
    pids.push_back(rabbit->pid());
    return pids;
  }

  struct Shared {
    Supervisor supervisor;
    std::unique_ptr<RabbitServer> rabbit = must(supervisor.rabbitmq());
  };
  static inline std::unique_ptr<Shared> shared;
  RabbitServer* rabbit = nullptr;
};

int mode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 07777) : -1;
}

TEST_F(Rabbit, AnswersWhenItIsReturned) {
  EXPECT_TRUE(greets());
  EXPECT_EQ(rabbit->kind(), "rabbitmq");
  EXPECT_EQ(rabbit->version(), find_rabbitmq().version);
  EXPECT_FALSE(rabbit->version().empty());
  EXPECT_GT(rabbit->port(), 0);
  EXPECT_EQ(rabbit->user(), "lab");
  EXPECT_EQ(rabbit->vhost(), "lab");
  EXPECT_EQ(mode_of(rabbit->folder()), 0700);
}

TEST_F(Rabbit, ListensOnItsPortOfTheLoopbackAddressOnly) {
  EXPECT_EQ(test::listening_addresses(its_processes()), std::vector<std::string>{"127.0.0.1"});
}

TEST_F(Rabbit, StartsNoPortMapper) {
  for (const pid_t pid : its_processes()) {
    const auto name = text_of("/proc/" + std::to_string(pid) + "/comm");
    EXPECT_NE(name, "epmd\n");
  }
}

TEST_F(Rabbit, ItsSecretsAreInFilesThatNobodyElseReads) {
  const auto configuration = rabbit->folder() / "lab.config";
  const auto cookie = rabbit->folder() / ".erlang.cookie";
  EXPECT_EQ(mode_of(configuration), 0600);
  EXPECT_EQ(mode_of(cookie), 0600);
  EXPECT_NE(text_of(configuration).find(rabbit->password()), std::string::npos);
  ASSERT_EQ(text_of(cookie).size(), 32u);
  for (const auto& secret : {rabbit->password(), text_of(cookie)}) {
    EXPECT_TRUE(test::command_lines_with(secret).empty());
    EXPECT_EQ(text_of(rabbit->folder() / "server.log").find(secret), std::string::npos);
    for (const pid_t pid : its_processes()) {
      const auto variables = text_of("/proc/" + std::to_string(pid) + "/environ");
      EXPECT_EQ(variables.find(secret), std::string::npos);
    }
  }
}

TEST_F(Rabbit, KilledItRefusesAndStartedAgainItAnswers) {
  const int port = rabbit->port();
  must(rabbit->kill());
  EXPECT_EQ(rabbit->pid(), 0);
  EXPECT_FALSE(greets());
  must(rabbit->start());
  EXPECT_EQ(rabbit->port(), port);
  EXPECT_TRUE(greets());
}

TEST_F(Rabbit, PausedItAcceptsAndDoesNotAnswer) {
  must(rabbit->pause());
  EXPECT_TRUE(Wire::open_port(rabbit->port(), 1s));
  EXPECT_FALSE(greets(50ms));
  must(rabbit->resume());
  EXPECT_TRUE(greets());
}

TEST_F(Rabbit, APortThatSomebodyElseTookIsAnError) {
  must(rabbit->kill());
  const test::Listener stranger(rabbit->port());
  const auto started = rabbit->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::unavailable);
  EXPECT_EQ(rabbit->pid(), 0);
}

TEST_F(Rabbit, AVirtualHostHasAPlainName) {
  const auto made = shared->supervisor.rabbitmq({.vhost = "\">>"});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace lab::servers
