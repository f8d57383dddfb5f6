// blocking_vs_async_io as its user runs it: the executable, in smoke size; one variant served alone; kill -9 of the run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "harness/exit_status.h"
#include "scenario_run.h"
#include "servers/server.h"

namespace lab {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class Servers : public test::ScenarioRun {
 protected:
  Servers() : ScenarioRun(LAB_SCENARIO) {}
};

TEST_F(Servers, TellTheLesson) {
  LAB_NEEDS(servers::find_redis());
  const json result = run_json({"--rounds", "1"});
  // A machine that is too busy to compare throughputs says so; nobody may be accused.
  EXPECT_NE(result["verdict"], "violated") << result.dump(1);
  EXPECT_EQ(verdict(result, "fixed_blocking_pool", "served-beside-slow-peers"), "violated");
  EXPECT_EQ(verdict(result, "fixed_blocking_pool", "slow-peers-isolated"), "violated");
  EXPECT_EQ(verdict(result, "async_but_blocks", "slow-call-is-its-own"), "violated");
  for (const auto& each : result["variants"]) {
    const bool happy = each["name"] == "async_happy_path";
    for (const char* check :
         {"bytes-echoed", "survives-exhaustion", "stalled-reader-bounded", "descriptors-return"})
      EXPECT_EQ(verdict(result, each["name"], check), happy ? "violated" : "holds") << each["name"];
    EXPECT_GT(metric(result, each["name"], "requests_per_second"), 0) << each["name"];
  }
}

TEST_F(Servers, EverySeedTellsTheSameStory) {
  every_seed_tells_the_same_story(
      {.broken = {"fixed_blocking_pool", "async_happy_path", "async_but_blocks"},
       .everyday_flags = {
           "--variant", "fixed_blocking_pool,async_coroutines,async_happy_path,async_but_blocks"}});
}

/// Some clients have threads of their own: what ends one of them ends the run, and not the process.
TEST_F(Servers, WithoutDescriptorsForItsClientsARunEndsAndSaysSo) {
  for (const int limit : {12, 16, 20, 24, 28, 32, 36, 40, 44, 120, 200}) {
    test::Flags argv{"sh", "-c", "ulimit -n " + std::to_string(limit) + "; exec \"$@\" 2>&1", "sh"};
    for (auto& word : command({"--variant", "async_callbacks", "--backend", "embedded"}))
      argv.push_back(std::move(word));
    const auto output = run_program(argv, 60s);
    ASSERT_TRUE(output) << describe(output.error());
    EXPECT_EQ(output->exit_status, harness::kEnvironmentFailed) << limit << ": " << output->text;
  }
}

TEST_F(Servers, LeaveNothingBehindWhenTheRunIsKilled) {
  kill_at_random_moments({.rounds = 3, .flags = {"--backend", "embedded"}});
}

/// `--serve` of a variant, with its standard output in a pipe.
class Served {
 public:
  explicit Served(const std::string& variant) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execl(LAB_SCENARIO, LAB_SCENARIO, "--serve", "--variant", variant.c_str(), "--backend",
              "embedded", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    char c = 0;
    while (::read(ends[0], &c, 1) == 1 && c != '\n') line_ += c;
    ::close(ends[0]);
  }
  ~Served() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  std::string listen() const {
    const json said = json::parse(line_, nullptr, false);
    return said.is_object() ? said.value("listen", "") : "";
  }
  int stop() {
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  std::string line_;
};

class ServedAlone : public testing::TestWithParam<const char*> {};

TEST_P(ServedAlone, AnswersTheFourPathsAndStopsWhenItIsTold) {
  Served server(GetParam());
  const std::string at = server.listen();
  ASSERT_THAT(at, HasSubstr("127.0.0.1:"));
  const auto curl = [&](const std::string& words) {
    const auto output = run_program({"sh", "-c",
                                     "curl -s -m 5 " + words.substr(0, words.find('/')) +
                                         "http://" + at + words.substr(words.find('/'))},
                                    10s);
    return output ? output->text : describe(output.error());
  };
  if (!run_program({"curl", "--version"}, 5s)) GTEST_SKIP() << "curl is not installed";
  EXPECT_THAT(curl("/"), HasSubstr("system design lab"));
  EXPECT_EQ(curl("-d hello /echo"), "hello");
  EXPECT_THAT(curl("/products/7"), HasSubstr("{\"id\":7,"));
  EXPECT_THAT(curl("/products/0"), HasSubstr("no such product"));
  EXPECT_THAT(curl("/metrics"), HasSubstr("# EOF"));
  EXPECT_THAT(curl("-I /"), HasSubstr("Content-Length: 18"));
  EXPECT_EQ(server.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Variants, ServedAlone,
                         testing::Values("thread_per_connection", "fixed_blocking_pool",
                                         "async_callbacks", "async_coroutines", "async_multi",
                                         "async_happy_path", "async_but_blocks", "async_offload",
                                         "multi_process"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace lab
