#include "net/loopback.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "core/result.h"
#include "few_descriptors.h"

namespace lab::net {
namespace {

class Loopback : public testing::Test {
 protected:
  ~Loopback() override {
    ::close(listener_.socket);
    ::close(socket_);
  }

  const Listener listener_ = listen_on_loopback();
  const int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

TEST_F(Loopback, AListenerAccepts) {
  ASSERT_EQ(connect_to_loopback(socket_, listener_.port), 0);
  const int accepted = ::accept(listener_.socket, nullptr, nullptr);
  EXPECT_GE(accepted, 0);
  ::close(accepted);
}

TEST_F(Loopback, APortThatIsTakenIsRefused) {
  EXPECT_EQ(bind_to_loopback(socket_, listener_.port), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  try {
    listen_on_loopback(listener_.port);
    ADD_FAILURE() << "two listen on one port";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, ErrorCode::unavailable);
    EXPECT_NE(failure.error().message.find("in use"), std::string::npos) << failure.what();
  }
}

TEST_F(Loopback, WithoutADescriptorItSaysSo) {
  const FewDescriptors none(0);
  for (const int port : {0, listener_.port}) {
    try {
      listen_on_loopback(port);
      ADD_FAILURE() << "a socket without a descriptor";
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.error().code, ErrorCode::unavailable);
      EXPECT_NE(failure.error().message.find("open files"), std::string::npos) << failure.what();
    }
  }
}

TEST_F(Loopback, ABoundPortIsNobodyElsesAndRefuses) {
  const int port = bind_to_loopback(socket_, 0);
  ASSERT_GT(port, 0);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect_to_loopback(client, port), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  ::close(client);
}

}  // namespace
}  // namespace lab::net
