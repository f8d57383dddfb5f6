#include "net/http_load.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <set>

#include "echo_server.h"
#include "few_descriptors.h"
#include "net/loopback.h"
#include "net/server_process.h"

namespace lab::net {
namespace {

/// Bodies that name their number.
HttpLoad echo_load(const ServerProcess& server) {
  HttpLoad load;
  load.port = server.port();
  load.connections = 4;
  load.duration = 200ms;
  load.request = [bytes = std::string()](std::uint64_t number) mutable -> const std::string& {
    return bytes = request_bytes("POST", "/echo", std::to_string(number));
  };
  load.verify = [](std::uint64_t number, const Response& response) -> std::string {
    return response.body == std::to_string(number) ? "" : "got " + response.body;
  };
  return load;
}

HttpLoad load_of(const ServerProcess& server, const std::string& target) {
  HttpLoad load = echo_load(server);
  load.verify = {};
  load.request = [bytes = request_bytes("GET", target)](std::uint64_t) -> const std::string& {
    return bytes;
  };
  return load;
}

TEST(HttpLoad, AClosedLoopAsksAgainAndAgain) {
  const auto server = echo_server();
  const auto result = run_http_load(echo_load(server));
  EXPECT_GT(result.completed, 20U);
  EXPECT_EQ(result.failed(), 0U) << result.first_problem;
  EXPECT_EQ(result.latency.count(), result.completed);
  EXPECT_GE(result.took, 200ms);
  EXPECT_LE(result.unanswered, 4U);
}

TEST(HttpLoad, AConnectionForEachRequest) {
  const auto server = echo_server();
  HttpLoad load = echo_load(server);
  load.keep_alive = false;
  const auto result = run_http_load(load);
  EXPECT_GT(result.completed, 10U);
  EXPECT_EQ(result.failed(), 0U) << result.first_problem;
}

TEST(HttpLoad, AnOpenLoopKeepsItsPlan) {
  const auto server = echo_server();
  HttpLoad load = echo_load(server);
  load.requests_per_second = 500;
  load.duration = 1s;
  const auto result = run_http_load(load);
  // Poisson of 500: six standard deviations.
  EXPECT_NEAR(static_cast<double>(result.completed + result.unanswered), 500, 135);
  EXPECT_EQ(result.failed(), 0U) << result.first_problem;
}

TEST(HttpLoad, AnOpenLoopDoesNotHideAStall) {
  auto server = echo_server();
  server.pause();
  HttpLoad load = echo_load(server);
  load.requests_per_second = 200;
  load.duration = 500ms;
  const auto result = run_http_load(load);
  EXPECT_EQ(result.completed, 0U);
  EXPECT_GT(result.unanswered, 40U);
  EXPECT_GT(result.unanswered_waited.max(), 300ms);
}

TEST(HttpLoad, CountsWhatIsWrong) {
  const auto server = echo_server();
  HttpLoad load = echo_load(server);
  load.request = [bytes = request_bytes("GET", "/wrong")](std::uint64_t) -> const std::string& {
    return bytes;
  };
  const auto wrong = run_http_load(load);
  EXPECT_GT(wrong.wrong, 10U);
  EXPECT_EQ(wrong.completed, 0U);
  EXPECT_NE(wrong.first_problem.find("got wrong"), std::string::npos) << wrong.first_problem;
  const auto missing = run_http_load(load_of(server, "/missing"));
  EXPECT_GT(missing.wrong, 10U);
  EXPECT_NE(missing.first_problem.find("status 404"), std::string::npos);
}

TEST(HttpLoad, CountsWhatIsCut) {
  const auto server = echo_server();
  const auto result = run_http_load(load_of(server, "/cut"));
  EXPECT_GT(result.cut, 10U);
  EXPECT_EQ(result.completed + result.wrong, 0U);
}

TEST(HttpLoad, CountsWhatGetsNoAnswer) {
  const auto server = echo_server();
  HttpLoad load = load_of(server, "/never");
  load.timeout = 50ms;
  load.duration = 300ms;
  const auto result = run_http_load(load);
  EXPECT_GE(result.timed_out, 4U);
  EXPECT_EQ(result.completed, 0U);
}

TEST(HttpLoad, WhatWasAskedInTheWarmUpHasWaitedOfTheTimeThatCounts) {
  const auto server = echo_server();
  HttpLoad load = load_of(server, "/never");
  load.warm_up = 200ms;
  load.duration = 300ms;
  const auto result = run_http_load(load);
  EXPECT_GT(result.unanswered, 0U);
  EXPECT_EQ(result.unanswered_waited.count(), result.unanswered);
  EXPECT_LE(result.unanswered_waited.max(), load.duration);
}

TEST(HttpLoad, LacksDescriptorsOfItsOwn) {
  const auto server = echo_server();
  const HttpLoad load = echo_load(server);
  // The loop takes two or three, the connections four.
  for (int left = 0; left < 6; ++left) {
    const FewDescriptors few(left);
    auto other_thread = std::async(std::launch::async, [&] { return run_http_load(load); });
    try {
      other_thread.get();
      ADD_FAILURE() << "with " << left;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.error().code, ErrorCode::exhausted);
    }
  }
}

TEST(HttpLoad, CountsWhatCannotConnect) {
  // Bound and not listening: nobody else gets this port.
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  HttpLoad load;
  load.port = bind_to_loopback(socket, 0);
  ASSERT_GT(load.port, 0);
  load.duration = 100ms;
  load.request = [bytes = request_bytes("GET", "/")](std::uint64_t) -> const std::string& {
    return bytes;
  };
  const auto result = run_http_load(load);
  EXPECT_GT(result.unconnected, 10U);
  EXPECT_NE(result.first_problem.find("refused"), std::string::npos) << result.first_problem;
  ::close(socket);
}

}  // namespace
}  // namespace lab::net
