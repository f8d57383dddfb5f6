// large_file_streaming as its user runs it: the executable, in smoke size; Ctrl-C; kill -9; a full disk; one variant alone.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "client.h"
#include "core/subprocess.h"
#include "net/server_process.h"
#include "net/slow_peers.h"
#include "scenario_run.h"
#include "server.h"
#include "variant_server.h"

namespace lab {
namespace {

using nlohmann::json;
using test::expect_all_as_promised;
using ::testing::HasSubstr;

class Streaming : public test::ScenarioRun {
 protected:
  Streaming() : ScenarioRun(LAB_SCENARIO) {}
};

/// Sanitizers keep what was freed and report a signal by themselves: memory is not judged in their builds.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kPlain = false;
#else
constexpr bool kPlain = true;
#endif

const std::vector<std::string> kConstant{"chunked_copy",  "mmap_write",   "sendfile",
                                         "async_chunked", "tbb_pipeline", "stream_to_temp"};

TEST_F(Streaming, EveryVariantDoesAsPromised) {
  const json result = run_json({"--rounds", "1"});
  expect_all_as_promised(result);
  EXPECT_EQ(result["variants"].size(), 10u);
  for (const auto& each : result["variants"]) {
    for (const auto& guard : each["guards"]) EXPECT_EQ(guard["satisfied"], true) << guard.dump();
  }
  EXPECT_THAT(witness(result, "mmap_write", "truncation-aborts"),
              HasSubstr(kPlain ? "ended by signal 7" : "the server exited with status"));
  EXPECT_THAT(witness(result, "splice_early_return", "aborts-leak-nothing"),
              HasSubstr("200 aborted"));
  EXPECT_THAT(witness(result, "prefix_check", "root-confined"),
              HasSubstr("with what lies outside"));
  EXPECT_THAT(witness(result, "buffer_all", "upload-old-or-new"), HasSubstr("neither"));
  for (const auto& name : kConstant) {
    if (kPlain) {
      EXPECT_EQ(verdict(result, name, "memory-flat"), "holds") << name;
    }
    EXPECT_EQ(metric(result, name, "descriptors_leaked"), 0) << name;
  }
  EXPECT_GT(metric(result, "sendfile", "large_mb_per_second"), 0);
  EXPECT_FALSE(result["limits"].empty());
}

TEST_F(Streaming, WithoutAFaultNobodyIsKilledAndTheMemoryIsMeasuredAllTheSame) {
  const json result = run_json(
      {"--rounds", "0", "--fault", "none", "--variant", "read_all,mmap_write,stream_to_temp"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  EXPECT_EQ(variant(result, "mmap_write")["verdict"], "holds");
  EXPECT_EQ(verdict(result, "read_all", "content-exact"), "holds");
}

TEST_F(Streaming, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  Proof proof{.broken = {"mmap_write", "splice_early_return", "buffer_all", "prefix_check"},
              .everyday_flags = {"--variant",
                                 "read_all,mmap_write,splice_early_return,buffer_all,"
                                 "prefix_check"}};
  if (kPlain) proof.broken.push_back("read_all");
  every_seed_tells_the_same_story(proof);
}

TEST_F(Streaming, KillMinusNineOfTheRunLeavesNothingBehind) {
  kill_at_random_moments({.rounds = 3});
}

TEST_F(Streaming, CtrlCEndsTheServersToo) {
  interrupt({}, [&] { return somebody_runs("--role=serve"); });
}

TEST_F(Streaming, AFullDiskIsSaidInOneLine) {
  const auto small = folder() / "small";
  std::filesystem::create_directory(small);
  if (::mount("none", small.c_str(), "tmpfs", 0, "size=512k") != 0)
    GTEST_SKIP() << "only root can make a small disk";
  const std::string before = std::getenv("LAB_TMPDIR") ? std::getenv("LAB_TMPDIR") : "";
  ::setenv("LAB_TMPDIR", small.c_str(), 1);
  const auto ran = run_and_listen({"--rounds", "0", "--variant", "sendfile"});
  ::setenv("LAB_TMPDIR", before.c_str(), 1);
  EXPECT_EQ(ran.exit_status, 3) << ran.text;
  EXPECT_THAT(ran.text, HasSubstr("No space left on device; free some space there"));
  EXPECT_EQ(::umount(small.c_str()), 0);
}

TEST_F(Streaming, OneVariantServesAlone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::execl(LAB_SCENARIO, LAB_SCENARIO, "--serve", "--variant", "sendfile", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string line(200, '\0');
  const ssize_t got = ::read(ends[0], line.data(), line.size());
  line.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  const json said = json::parse(line, nullptr, false);
  ASSERT_TRUE(said.is_object()) << line;
  const std::string address = "http://" + said.value("listen", "");
  const auto curl = [&](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"curl", "-s", "-w", "%{http_code} %{size_download}", "-o", "/dev/null"});
    const auto ran = run_program(words, 20s);
    return ran ? ran->text : std::string("no curl");
  };
  const std::string whole = curl({address + "/files/large.bin"});
  if (whole != "no curl") {
    EXPECT_EQ(whole, "200 4294967296");
    EXPECT_EQ(curl({"-r", "4294967290-", address + "/files/large.bin"}), "206 6");
    EXPECT_THAT(curl({"--path-as-is", address + "/files/../outside.txt"}), HasSubstr("404"));
  }
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(ends[0]);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/// The limits of both frames: that of a thread a connection, and that of one thread.
class Limits : public Streaming, public ::testing::WithParamInterface<const char*> {
 protected:
  Limits() {
    // Only the limit on a whole request is short: it is the one that is seen.
    orders_.variant = GetParam();
    orders_.folder = (folder() / "root").string();
    orders_.patience = {.stall = 10s, .body = 10s, .idle = 60s, .request = 300ms};
    std::filesystem::create_directory(folder() / "root");
    std::ofstream(folder() / "root" / "small.txt") << "small";
  }
  net::ServerProcess start() const {
    return net::ServerProcess({.orders = to_json(orders_), .program = LAB_SCENARIO});
  }
  large_file_streaming::ServeOrders orders_;
};

TEST_P(Limits, AHeadThatTricklesInIsNotWaitedForForEver) {
  const auto server = start();
  const net::SlowPeers slow({.port = server.port(), .peers = 3, .between_bytes = 20ms});
  EXPECT_TRUE(slow.wait_until_closed(10s)) << "a byte now and then";
}

/// Sends a piece of a body now and then, until there is an answer or an end, or all is sent.
bool trickle(large_file_streaming::Client& client, std::size_t total, std::size_t piece) {
  client.ask("PUT", "/files/trickled.bin", "Content-Length: " + std::to_string(total) + "\r\n");
  const std::vector<char> bytes(piece, 'x');
  for (std::size_t sent = 0; sent < total; sent += piece) {
    pollfd ended{client.socket(), POLLIN | POLLRDHUP, 0};
    if (::poll(&ended, 1, 20) > 0 || !client.send(bytes)) return false;
  }
  return true;
}

TEST_P(Limits, ABodyThatTricklesInIsNotWaitedForForEver) {
  const auto server = start();
  large_file_streaming::Client client(server.port());
  EXPECT_FALSE(trickle(client, 500, 1)) << "50 bytes a second, for 10 seconds";
}

TEST_P(Limits, ABodyThatComesAtAPaceMayTakeLonger) {
  orders_.patience.request = 1s;
  const auto server = start();
  large_file_streaming::Client client(server.port());
  EXPECT_TRUE(trickle(client, 75 * 16 * 1024, 16 * 1024));  // 1,500 ms
  EXPECT_EQ(client.receive().status, 204);
}

TEST_P(Limits, WhoComesWhenAllPlacesAreTakenIsToldSo) {
  const auto server = start();
  const auto status = [&server] {
    large_file_streaming::Client client(server.port());
    client.ask("GET", "/files/small.txt");
    return client.receive().status;
  };
  {
    const net::SlowPeers idle({.port = server.port(),
                               .peers = large_file_streaming::kMostConnections,
                               .manner = net::SlowPeersOptions::Manner::silent});
    EXPECT_EQ(idle.report().connected, large_file_streaming::kMostConnections);
    EXPECT_EQ(status(), 503);
    EXPECT_EQ(idle.report().closed, 0u);
  }
  EXPECT_TRUE(test::eventually(5s, [&] { return status() == 200; }));
}

INSTANTIATE_TEST_SUITE_P(Frames, Limits, ::testing::Values("sendfile", "async_chunked"),
                         [](const auto& variant) {
                           return std::string(variant.param) == "sendfile" ? "Blocking" : "Async";
                         });

TEST_F(Streaming, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "large-file-streaming");
  EXPECT_EQ(description["variants"].size(), 10u);
  EXPECT_EQ(description["serves"], true);
}

}  // namespace
}  // namespace lab
