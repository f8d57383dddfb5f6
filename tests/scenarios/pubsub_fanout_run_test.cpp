// pubsub_fanout as its user runs it: the executable, in smoke size, under every fault; one node alone for outside tools;
// the load on another server; Ctrl-C; kill -9.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "net/web_socket_client.h"
#include "scenario_run.h"
#include "servers/server.h"

namespace lab {
namespace {

using nlohmann::json;
using test::Flags;
using test::Ran;
using ::testing::HasSubstr;

class PubsubFanout : public test::ScenarioRun {
 protected:
  PubsubFanout() : ScenarioRun(LAB_SCENARIO) {}
};

/// The kernel's numbers of a sanitizer's build say nothing of a variant's memory, and the check on them says so.
void expect_the_lesson(const json& result) {
  if (!test::sanitized()) return test::expect_all_as_promised(result);
  for (const auto& variant : result["variants"])
    EXPECT_NE(variant["as_promised"], "violated") << variant.dump(1);
}

TEST_F(PubsubFanout, EveryVariantDoesAsPromised) {
  LAB_NEEDS(servers::find_redis());
  const json result = run_json({"--backend", "real", "--rounds", "1"});
  expect_the_lesson(result);
  EXPECT_EQ(verdict(result, "redis_pubsub", "contiguous"), "violated");
  EXPECT_NE(verdict(result, "blocking_send", "others-undisturbed"), "holds");
  for (const char* name : {"duplicates", "reorderings", "missing_silently"})
    EXPECT_EQ(metric(result, "redis_streams_resume", name), 0) << name;
  EXPECT_GT(metric(result, "redis_streams_resume", "connections_lost"), 0);
  EXPECT_GT(metric(result, "shared_payload", "deliveries_per_second"), 0);
  ASSERT_EQ(result["limits"].size(), 2u);
  EXPECT_EQ(result["limits"][0].value("comparison", false), true);  // a write for each delivery
  EXPECT_EQ(result["limits"][1].value("comparison", false), false);
}

TEST_F(PubsubFanout, WithoutRedisWhatNeedsNoneStillRuns) {
  const json result = run_json({"--backend", "embedded", "--rounds", "1"});
  expect_the_lesson(result);
  EXPECT_THAT(result["notes"].dump(), HasSubstr("redis_streams_resume is left out"));
}

TEST_F(PubsubFanout, ANodeThatDiesLeavesGhostsUnlessPresenceIsLeased) {
  LAB_NEEDS(servers::find_redis());
  const json result = run_json({"--fault", "node-kill", "--rounds", "0"});
  expect_the_lesson(result);
  EXPECT_EQ(verdict(result, "redis_pubsub", "presence-converges"), "violated");
  EXPECT_EQ(verdict(result, "redis_streams_resume", "presence-converges"), "holds");
  EXPECT_EQ(verdict(result, "redis_streams_resume", "back-in-time"), "holds");
}

TEST_F(PubsubFanout, ANodeThatIsBackWithinItsLeaseBringsNoGhosts) {
  LAB_NEEDS(servers::find_redis());
  const json result = run_json({"--fault", "node-restart", "--rounds", "0", "--variant",
                                "slow_consumer_bounded,redis_pubsub,redis_streams_resume"});
  expect_the_lesson(result);
  EXPECT_EQ(verdict(result, "redis_pubsub", "presence-converges"), "violated");
  EXPECT_EQ(verdict(result, "redis_streams_resume", "presence-converges"), "holds");
}

TEST_F(PubsubFanout, ANodeThatSleepsIsLeft) {
  LAB_NEEDS(servers::find_redis());
  expect_the_lesson(run_json({"--fault", "node-pause", "--rounds", "0"}));
}

TEST_F(PubsubFanout, RedisKilledComesBackWithWhatItWroteDown) {
  LAB_NEEDS(servers::find_redis());
  const json result = run_json({"--fault", "redis-kill", "--rounds", "0"});
  expect_the_lesson(result);
  EXPECT_THAT(result["servers"].dump(), HasSubstr("append-only file, written before the answer"));
  EXPECT_EQ(metric(result, "redis_streams_resume", "missing_silently"), 0);
}

/// LAB_SEEDS=20 LAB_BACKEND=real is the full proof.
TEST_F(PubsubFanout, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  const char* backend = std::getenv("LAB_BACKEND");
  Flags broken{"direct_loop", "blocking_send", "shared_payload"};
  if (backend && std::string(backend) == "real") broken.push_back("redis_pubsub");
  if (test::sanitized()) broken.clear();
  every_seed_tells_the_same_story({.broken = broken});
}

/// A process of the lab; its first line of output is read.
class Program {
 public:
  explicit Program(const std::vector<std::string>& argv) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      (void)!freopen("/dev/null", "w", stderr);
      execv(words[0], words.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~Program() {
    if (pid_ > 0) stop(SIGKILL);
    fclose(output_);
  }
  std::string line() {
    char text[512]{};
    return fgets(text, sizeof text, output_) ? text : "";
  }
  int stop(int signal) {
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int port() {
    const json first = json::parse(line(), nullptr, false);
    const std::string listen = first.is_object() ? first["listen"].get<std::string>() : ":0";
    return std::stoi(listen.substr(listen.find(':') + 1));
  }

 private:
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
};

class Script : public net::WebSocketClient::Listener {
 public:
  void on_open(net::WebSocketClient& client) override { client.send_raw(says); }
  void on_message(net::WebSocketClient&, const net::Message& message) override {
    messages.emplace_back(message.payload);
  }
  void on_closed(net::WebSocketClient&, std::uint16_t code, std::string_view) override {
    closed = code;
  }
  std::string says;
  std::vector<std::string> messages;
  int closed = 0;
};

std::string masked(net::Opcode opcode, std::string_view payload) {
  std::string frame;
  net::append_frame(frame, opcode, payload, 0x55aa33cc);
  return frame;
}

/// What RFC 6455 asks of a server, of each variant's own.
TEST_F(PubsubFanout, EachServerAloneKeepsToTheProtocol) {
  for (const char* variant : {"direct_loop", "slow_consumer_bounded", "redis_streams_resume"}) {
    if (std::string(variant).starts_with("redis")) LAB_NEEDS(servers::find_redis());
    Program server({LAB_SCENARIO, "--serve", "--variant", variant, "--port", "0"});
    const int port = server.port();
    ASSERT_GT(port, 0) << variant;
    net::EventLoop loop;
    net::ClientCommons commons(loop);
    const auto say = [&](std::string bytes, const char* target = "/ws-echo",
                         std::size_t answers = 1) {
      Script script;
      script.says = std::move(bytes);
      net::WebSocketClient client(commons, {.port = port, .target = target}, script);
      for (const Instant end = now() + 10s;
           now() < end && script.closed == 0 && script.messages.size() < answers;)
        loop.turn(10ms);
      return script;
    };
    EXPECT_EQ(say(masked(net::Opcode::text, "hello")).messages, std::vector<std::string>{"hello"});
    EXPECT_EQ(say(net::to_frame(net::Opcode::text, "no mask")).closed, 1002);
    EXPECT_EQ(say("\xc1" + masked(net::Opcode::text, "rsv1").substr(1)).closed, 1002);
    EXPECT_EQ(say("\x83" + masked(net::Opcode::text, "opcode").substr(1)).closed, 1002);
    EXPECT_EQ(say("\x09" + masked(net::Opcode::ping, "part").substr(1)).closed, 1002);
    EXPECT_EQ(say(masked(net::Opcode::close, net::close_payload(1005, ""))).closed, 1002);
    EXPECT_EQ(say(masked(net::Opcode::text, "\xc0\x80")).closed, 1007);
    EXPECT_EQ(say(masked(net::Opcode::binary, std::string(64 * 1024 + 1, 'x'))).closed, 1009);
    EXPECT_EQ(say(masked(net::Opcode::close, net::close_payload(3001, "bye"))).closed, 3001);
    // Sent on as text it would be none, and every client in the room would have to go.
    EXPECT_EQ(say(masked(net::Opcode::binary, "\xff"), "/rooms/any?user=ann", 9).closed, 1003);
    EXPECT_EQ(server.stop(SIGTERM), 0) << variant;
    EXPECT_TRUE(nothing_left());
  }
}

TEST_F(PubsubFanout, TheLoadAimsAtAnyServer) {
  Program server({LAB_SCENARIO, "--serve", "--variant", "shared_payload", "--port", "0"});
  const int port = server.port();
  ASSERT_GT(port, 0);
  const auto aim = [](const std::string& target) {
    return test::must(run_program({LAB_SCENARIO, "--target", target, "--subscribers", "20",
                                   "--seconds", "0.1", "--rounds", "1", "--json"},
                                  60s));
  };
  const auto ran = aim("ws://127.0.0.1:" + std::to_string(port) + "/rooms/any");
  EXPECT_EQ(ran.exit_status, 0) << ran.text;
  const json result = json::parse(ran.text, nullptr, false);
  ASSERT_TRUE(result.is_object()) << ran.text;
  EXPECT_GT(result["deliveries_per_second"], 0);
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(aim("http://nonsense").exit_status, 2);
  EXPECT_EQ(aim("ws://127.0.0.1:1/").exit_status, 3);
}

TEST_F(PubsubFanout, CtrlCKeepsWhatWasMeasured) {
  LAB_NEEDS(servers::find_redis());
  const json result = interrupt({"--quiet"}, [&] { return has_told("slow_consumer_bounded"); });
  EXPECT_EQ(result["interrupted"], true);
  EXPECT_FALSE(result["variants"][0]["checks"].empty());  // the first one had finished
}

TEST_F(PubsubFanout, KillMinusNineLeavesNothingBehind) {
  LAB_NEEDS(servers::find_redis());
  kill_at_random_moments({.rounds = 3, .flags = {"--quiet"}, .within = 2500ms});
}

TEST_F(PubsubFanout, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "pubsub-fanout");
  EXPECT_EQ(description["variants"].size(), 7u);
}

}  // namespace
}  // namespace lab
