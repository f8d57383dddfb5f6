#include <gtest/gtest.h>

#include "backends/backends.h"
#include "servers/server.h"
#include "test_support.h"

namespace lab::backends {
namespace {

using namespace std::chrono_literals;

class Rabbit : public testing::Test {
 protected:
  void SetUp() override { LAB_NEEDS(servers::find_rabbitmq()); }

  harness::RunPlan plan_with(const std::string& fault, const std::string& url = {}) {
    harness::RunPlan plan;
    plan.flags.amqp_url = url;
    plan.fault = fault;
    plan.timing = {.warm_up = 0ms, .steady = 1ms, .fault = 50ms, .recovery = 1ms};
    return plan;
  }
  void carry_out(RabbitBackend& rabbit, const harness::RunPlan& plan) {
    faults::FaultPlan faults(rabbit.faults(plan.timing));
    faults.start(now());
    for (const auto& record : faults.finish()) EXPECT_EQ(record.error, "");
    EXPECT_TRUE(rabbit.effect().felt) << rabbit.effect().detail;
  }
  ErrorCode refusal(harness::RunPlan plan) {
    try {
      open(plan, events_, {.rabbitmq = true});
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.error().message.find("hunter2"), std::string::npos);
      return failure.error().code;
    }
    return ErrorCode::internal;
  }

  harness::EventStream events_;
};

TEST_F(Rabbit, IsKilledAndComesBack) {
  auto plan = plan_with("broker-kill");
  const auto opened = open(plan, events_, {.rabbitmq = true});
  EXPECT_FALSE(opened.rabbit->effect().felt);
  EXPECT_EQ(opened.rabbit->address().port, opened.rabbit->client_address().port);
  carry_out(*opened.rabbit, plan);
  EXPECT_TRUE(infra::Amqp::connect(opened.rabbit->address()));
  EXPECT_GT(opened.rabbit->used().pid, 0);
}

TEST_F(Rabbit, IsResetByAProxy) {
  auto plan = plan_with("broker-reset");
  const auto opened = open(plan, events_, {.rabbitmq = true});
  EXPECT_NE(opened.rabbit->address().port, opened.rabbit->client_address().port);
  const auto client = infra::Amqp::connect(opened.rabbit->client_address()).value();
  carry_out(*opened.rabbit, plan);
  EXPECT_FALSE(client->keep_alive());
}

TEST_F(Rabbit, IsTheUsersOwnWhenAnAddressIsGiven) {
  auto private_plan = plan_with("none");
  const auto owner = open(private_plan, events_, {.rabbitmq = true});
  const auto address = owner.rabbit->address();
  auto plan = plan_with("none", "amqp://" + address.user + ":" + address.password + "@127.0.0.1:" +
                                    std::to_string(address.port) + "/" + address.vhost);
  const auto opened = open(plan, events_, {.rabbitmq = true});
  const auto used = opened.rabbit->used();
  EXPECT_EQ(used.where, "127.0.0.1:" + std::to_string(address.port) + "/lab, yours");
  EXPECT_EQ(used.version, servers::find_rabbitmq().version);
  EXPECT_EQ(refusal(plan_with("broker-kill", plan.flags.amqp_url)), ErrorCode::invalid);
}

TEST_F(Rabbit, AnAddressThatCannotBeUsedIsRefused) {
  EXPECT_EQ(refusal(plan_with("none", "amqp://user:hunter2@host/a/b")), ErrorCode::invalid);
  EXPECT_EQ(refusal(plan_with("none", "amqp://user:hunter2@127.0.0.1:1")), ErrorCode::unavailable);
}

TEST_F(Rabbit, HasNoEmbeddedTwin) {
  auto plan = plan_with("none");
  plan.flags.backend = harness::Backend::embedded;
  EXPECT_EQ(open(plan, events_, {.rabbitmq = true}).rabbit, nullptr);
}

}  // namespace
}  // namespace lab::backends
