#include "net/server_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "few_descriptors.h"
#include "net/http_load.h"
#include "test_support.h"

namespace lab::net {
namespace {

using testing::HasSubstr;

ServerOptions role(const std::string& name, const std::string& orders = {}) {
  return {.orders = orders, .role = name, .program = LAB_NET_ROLES};
}

TEST(ServerProcess, ServesAndStops) {
  ServerProcess server(role("echo"));
  EXPECT_GT(server.port(), 0);
  EXPECT_FALSE(server.ended());
  const auto ending = server.stop();
  EXPECT_FALSE(ending.killed());
  EXPECT_EQ(ending.status, 0);
  EXPECT_TRUE(server.ended());
  EXPECT_EQ(server.usage().error().code, ErrorCode::not_found);
}

TEST(ServerProcess, ThatCannotBeLookedAtHasNotEnded) {
  ServerProcess server(role("echo"));
  const auto usage = [&] {
    const FewDescriptors none(0);
    return server.usage();
  }();
  ASSERT_FALSE(usage);
  EXPECT_EQ(usage.error().code, ErrorCode::unavailable);
  EXPECT_THAT(usage.error().message, HasSubstr("Too many open files"));
  EXPECT_TRUE(server.usage());
}

TEST(ServerProcess, StopsOneThatIsPaused) {
  ServerProcess server(role("echo"));
  server.pause();
  EXPECT_EQ(server.stop().status, 0);
}

TEST(ServerProcess, KillsOneThatWillNotStop) {
  ServerProcess server(role("deaf"));
  EXPECT_EQ(server.stop(50ms).signal, SIGKILL);
}

TEST(ServerProcess, TellsWhyItDidNotStart) {
  try {
    ServerProcess server(role("fail", "soup"));
    FAIL() << "it started";
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("cannot serve soup"));
  }
  EXPECT_THROW(ServerProcess(role("exit")), Failure);
}

TEST(ServerProcess, ALimitOfDescriptorsIsReal) {
  ServerOptions options = role("hoard", "1000");
  options.limits.open_descriptors = 40;
  ServerProcess server(options);
  EXPECT_GT(server.port(), 20);
  EXPECT_LT(server.port(), 40);
  EXPECT_GE(server.usage()->open_descriptors, 40U);
}

TEST(ServerProcess, MeasuresMemoryDescriptorsAndThreads) {
  constexpr std::uint64_t kMuch = 50'000'000;
  ServerProcess server(role("breathe", std::to_string(kMuch)));
  Usage usage;
  EXPECT_TRUE(test::eventually(5s, [&] {  // it gives them back
    usage = server.usage().value();
    return usage.resident_bytes + kMuch / 2 < usage.peak_resident_bytes;
  }));
  EXPECT_GE(usage.peak_resident_bytes, kMuch);
  EXPECT_GE(usage.threads, 1U);
  EXPECT_GE(usage.open_descriptors, 3U);
  server.reset_peak();
  EXPECT_LT(server.usage()->peak_resident_bytes, kMuch);
}

TEST(ServerProcess, MeasuresProcessorTime) {
  ServerProcess server(role("echo"));
  HttpLoad load;
  load.port = server.port();
  load.duration = 300ms;
  load.request = [bytes = request_bytes("GET", "/")](std::uint64_t) -> const std::string& {
    return bytes;
  };
  (void)run_http_load(load);
  EXPECT_GT(server.usage()->cpu, 10ms);
}

}  // namespace
}  // namespace lab::net
