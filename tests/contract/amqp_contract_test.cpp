// The AMQP client against a real broker: one for all tests here, because it takes seconds to start.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "faults/proxy.h"
#include "infra/amqp.h"
#include "support.h"

namespace lab::infra {
namespace {

using lab::test::must;
using lab::test::text_of;

servers::RabbitServer& broker() {
  static const auto one = must(lab::test::supervisor().rabbitmq());
  return *one;
}

constexpr auto npos = std::string::npos;

class AmqpContract : public ::testing::Test {
 protected:
  void SetUp() override {
    LAB_NEEDS(servers::find_rabbitmq());
    must(broker().start());
    queue = fmt::format("queue-{}", ++count);
  }

  static AmqpAddress address() {
    return {.port = broker().port(),
            .user = broker().user(),
            .password = broker().password(),
            .vhost = broker().vhost()};
  }
  static std::unique_ptr<Amqp> connect(AmqpOptions options = {}) {
    return must(Amqp::connect(address(), options));
  }

  AmqpMessage message(std::string body) const {
    return {.routing_key = queue, .body = std::move(body)};
  }

  /// What comes within 5 s; fails the test when nothing does.
  static AmqpDelivery next(Amqp& amqp) {
    auto delivery = must(amqp.next(5s));
    if (!delivery) throw std::runtime_error("nothing was delivered");
    return std::move(*delivery);
  }

  std::string queue;  // a name that nobody has used
  static inline int count = 0;
};

TEST_F(AmqpContract, WhatIsPublishedIsDelivered) {
  const auto amqp = connect();
  EXPECT_EQ(amqp->server_version(), broker().version());
  must(amqp->declare({.name = queue}));
  const std::string odd("\0\r\n\xff{}", 6);
  AmqpMessage sent = message(odd);
  sent.id = "id-1";
  sent.priority = 3;
  sent.headers = {{"attempt", std::int64_t{-7}}, {"error", "550 no such user"}};
  must(amqp->publish(sent));
  EXPECT_EQ(must(amqp->state(queue)).ready, 1);
  must(amqp->consume(queue, 10));
  const AmqpDelivery got = next(*amqp);
  EXPECT_EQ(got.message.body, odd);
  EXPECT_EQ(got.message.id, "id-1");
  EXPECT_EQ(got.message.priority, 3);
  EXPECT_EQ(got.message.headers, sent.headers);
  EXPECT_EQ(got.message.routing_key, queue);
  EXPECT_TRUE(got.message.persistent);
  EXPECT_FALSE(got.redelivered);
  must(amqp->ack(got.tag));
  must(amqp->flush());
  EXPECT_FALSE(must(amqp->next({})));
}

TEST_F(AmqpContract, AnEmptyBodyAndTheLargestOneTravel) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  const std::string largest(64 * 1024, 'x');
  must(amqp->publish(message("")));
  must(amqp->publish(message(largest)));
  const auto refused = amqp->publish(message(largest + "x"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  must(amqp->consume(queue, 10));
  EXPECT_EQ(next(*amqp).message.body, "");
  EXPECT_EQ(next(*amqp).message.body, largest);
}

TEST_F(AmqpContract, ABatchIsConfirmedAsAWhole) {
  const auto amqp = connect({.call_timeout = 60s});
  must(amqp->declare({.name = queue}));
  constexpr int kMessages = 3000;
  std::vector<AmqpMessage> batch;
  for (int i = 0; i < kMessages; ++i) batch.push_back(message(std::to_string(i)));
  for (const auto& answer : amqp->publish(batch)) must(answer);
  must(amqp->consume(queue, 100));
  for (int i = 0; i < kMessages; ++i) {
    const auto delivery = next(*amqp);
    ASSERT_EQ(delivery.message.body, std::to_string(i));
    must(amqp->ack(delivery.tag));
  }
  must(amqp->flush());
  EXPECT_EQ(must(amqp->state(queue)).ready, 0);
}

TEST_F(AmqpContract, AMessageThatNoQueueWantsIsSaidSo) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  const auto answers = amqp->publish(std::vector<AmqpMessage>{
      message("a"), {.routing_key = "no such queue", .body = "b"}, message("c")});
  EXPECT_TRUE(answers[0]);
  ASSERT_FALSE(answers[1]);
  EXPECT_EQ(answers[1].error().code, ErrorCode::not_found);
  EXPECT_EQ(answers[1].error().happened, Happened::no);
  EXPECT_TRUE(answers[2]);
  EXPECT_EQ(must(amqp->state(queue)).ready, 2);
}

TEST_F(AmqpContract, PrefetchBoundsWhatIsUnacknowledged) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  for (int i = 0; i < 4; ++i) must(amqp->publish(message(std::to_string(i))));
  must(amqp->consume(queue, 2));
  const auto first = next(*amqp);
  next(*amqp);
  EXPECT_FALSE(must(amqp->next(30ms)));
  must(amqp->ack(first.tag));
  EXPECT_EQ(next(*amqp).message.body, "2");
  EXPECT_FALSE(must(amqp->next(30ms)));
}

TEST_F(AmqpContract, WhatIsRejectedComesBackOrIsADeadLetter) {
  const auto amqp = connect();
  const std::string dead = queue + "-dead";
  must(amqp->declare({.name = dead}));
  must(amqp->declare({.name = queue, .dead_letter_exchange = "", .dead_letter_routing_key = dead}));
  must(amqp->publish(message("a")));
  must(amqp->consume(queue, 1));
  must(amqp->reject(next(*amqp).tag, true));
  const auto again = next(*amqp);
  EXPECT_TRUE(again.redelivered);
  must(amqp->reject(again.tag, false));
  must(amqp->consume(dead, 1));
  const auto letter = next(*amqp);
  EXPECT_EQ(letter.message.body, "a");
  EXPECT_EQ(letter.message.headers.at("x-first-death-reason"), AmqpValue("rejected"));
}

TEST_F(AmqpContract, WhatExpiresIsADeadLetter) {
  const auto amqp = connect();
  const std::string later = queue + "-later";
  must(amqp->declare({.name = queue}));
  must(amqp->declare({.name = later,
                      .dead_letter_exchange = "",
                      .dead_letter_routing_key = queue,
                      .message_ttl = 80ms,
                      .expires = 60s}));
  must(amqp->consume(queue, 1));
  const Instant sent = now();
  must(amqp->publish({.routing_key = later, .body = "a"}));
  EXPECT_EQ(next(*amqp).message.body, "a");
  EXPECT_GE(now() - sent, 80ms);
}

TEST_F(AmqpContract, HigherPrioritiesGoFirst) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue, .max_priority = 2}));
  for (const int priority : {0, 2, 1}) {
    AmqpMessage sent = message(std::to_string(priority));
    sent.priority = static_cast<std::uint8_t>(priority);
    must(amqp->publish(sent));
  }
  must(amqp->consume(queue, 1));
  for (const char* expected : {"2", "1", "0"}) {
    const auto delivery = next(*amqp);
    EXPECT_EQ(delivery.message.body, expected);
    must(amqp->ack(delivery.tag));
  }
}

TEST_F(AmqpContract, OneMessageCanBeFetchedWithoutAConsumer) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  EXPECT_FALSE(must(amqp->get(queue)));
  must(amqp->publish(message("a")));
  const auto got = must(amqp->get(queue));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->message.body, "a");
  EXPECT_EQ(got->message.routing_key, queue);
  EXPECT_FALSE(must(amqp->get(queue)));
  must(amqp->ack(got->tag));
}

// Deliveries that arrive while another question waits for its answer are not lost.
TEST_F(AmqpContract, DeliveriesMayComeBetweenQuestionAndAnswer) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  const std::string other = queue + "-other";
  must(amqp->declare({.name = other}));
  must(amqp->consume(queue, 500));
  for (int i = 0; i < 200; ++i) {
    must(amqp->publish(message(std::to_string(i))));
    must(amqp->publish({.routing_key = other, .body = std::to_string(i)}));
    const auto got = must(amqp->get(other));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->message.body, std::to_string(i));
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(next(*amqp).message.body, std::to_string(i));
}

TEST_F(AmqpContract, QuestionsAboutMissingQueuesCostNothing) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  must(amqp->publish(message("a")));
  must(amqp->consume(queue, 1));
  const auto held = next(*amqp);
  EXPECT_EQ(amqp->state("nowhere").error().code, ErrorCode::not_found);
  EXPECT_EQ(amqp->get("nowhere").error().code, ErrorCode::not_found);
  EXPECT_EQ(amqp->consume("nowhere", 1).error().code, ErrorCode::not_found);
  EXPECT_EQ(amqp->purge("nowhere").error().code, ErrorCode::not_found);
  EXPECT_TRUE(amqp->remove("nowhere"));
  const auto other = amqp->declare({.name = queue, .max_priority = 5});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::conflict);
  EXPECT_EQ(other.error().native_code, "406");
  must(amqp->ack(held.tag));
  must(amqp->flush());
}

TEST_F(AmqpContract, ARemovedQueueEndsItsConsumer) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  must(amqp->consume(queue, 1));
  must(amqp->remove(queue));
  const auto gone = amqp->next(5s);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::not_found);
}

TEST_F(AmqpContract, AnUnknownTagCostsTheConnection) {
  const auto amqp = connect();
  must(amqp->declare({.name = queue}));
  must(amqp->ack(4711));
  const auto flushed = amqp->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().native_code, "406");
  EXPECT_EQ(amqp->state(queue).error().code, ErrorCode::closed);
}

TEST_F(AmqpContract, WhatADeadConnectionHeldIsDeliveredAgainAtOnce) {
  const auto watcher = connect();
  must(watcher->declare({.name = queue, .type = AmqpQueue::Type::quorum}));
  must(watcher->publish(message("a")));
  {
    const auto holder = connect();
    must(holder->consume(queue, 1));
    EXPECT_FALSE(next(*holder).message.headers.contains("x-delivery-count"));
  }
  must(watcher->consume(queue, 1));
  const auto again = next(*watcher);
  EXPECT_TRUE(again.redelivered);
  EXPECT_EQ(again.message.headers.at("x-delivery-count"), AmqpValue(std::int64_t{1}));
}

TEST_F(AmqpContract, WhatWasReturnedTooOftenIsADeadLetter) {
  const auto amqp = connect();
  const std::string dead = queue + "-dead";
  must(amqp->declare({.name = dead, .type = AmqpQueue::Type::quorum}));
  must(amqp->declare({.name = queue,
                      .type = AmqpQueue::Type::quorum,
                      .dead_letter_exchange = "",
                      .dead_letter_routing_key = dead,
                      .delivery_limit = 1}));
  must(amqp->publish(message("poison")));
  must(amqp->consume(queue, 1));
  must(amqp->reject(next(*amqp).tag, true));
  must(amqp->reject(next(*amqp).tag, true));
  must(amqp->consume(dead, 1));
  EXPECT_EQ(next(*amqp).message.headers.at("x-first-death-reason"), AmqpValue("delivery_limit"));
}

TEST_F(AmqpContract, DurableQueuesKeepWhatWasConfirmedWhenTheBrokerIsKilled) {
  auto amqp = connect();
  const std::string quorum = queue + "-quorum";
  must(amqp->declare({.name = queue}));
  must(amqp->declare({.name = quorum, .type = AmqpQueue::Type::quorum}));
  AmqpMessage fleeting = message("fleeting");
  fleeting.persistent = false;
  must(amqp->publish(message("kept")));
  must(amqp->publish({.routing_key = quorum, .body = "kept too"}));
  must(amqp->publish(fleeting));
  // RabbitMQ 3.10 writes down which quorum queues there are with half a second of delay.
  const auto names = broker().folder() / "data/lab@localhost/quorum/lab@localhost/names.dets";
  ASSERT_TRUE(lab::test::eventually(5s, [&] { return text_of(names).find(quorum) != npos; }));
  must(broker().restart());
  const auto lost = amqp->state(queue);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::closed);
  EXPECT_EQ(amqp->state(queue).error().happened, Happened::no) << "known to be lost by now";
  amqp = connect({.call_timeout = 30s});
  must(amqp->consume(queue, 1));
  EXPECT_EQ(next(*amqp).message.body, "kept");
  EXPECT_FALSE(must(amqp->next(50ms)));
  must(amqp->consume(quorum, 1));
  EXPECT_EQ(next(*amqp).message.body, "kept too");
}

TEST_F(AmqpContract, APausedBrokerIsATimeoutWithAnUnknownOutcome) {
  const auto amqp = connect({.call_timeout = 100ms});
  must(amqp->declare({.name = queue}));
  must(broker().pause());
  const auto published = amqp->publish(message("a"));
  const auto connected = Amqp::connect(address(), {.connect_timeout = 100ms});
  must(broker().resume());
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::timeout);
  EXPECT_EQ(published.error().happened, Happened::unknown);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::timeout);
  EXPECT_EQ(connected.error().happened, Happened::no);
  // It happened after all; and the late confirm is not taken for another message's.
  EXPECT_TRUE(lab::test::eventually(5s, [&] {
    const auto state = connect()->state(queue);
    return state && state->ready == 1;
  }));
  must(amqp->publish(message("b")));
}

TEST_F(AmqpContract, AConsumerThatSaysNothingLosesItsDeliveries) {
  const auto silent = connect({.heartbeat = 1s});
  const auto other = connect();
  must(silent->declare({.name = queue}));
  must(silent->publish(message("a")));
  must(silent->consume(queue, 1));
  const auto held = next(*silent);
  must(other->consume(queue, 1));
  EXPECT_EQ(must(other->next(30s)).value().message.body, "a");
  EXPECT_FALSE(silent->keep_alive());
  EXPECT_FALSE(silent->ack(held.tag));
}

TEST_F(AmqpContract, AConsumerThatKeepsAliveKeepsItsDeliveries) {
  const auto busy = connect({.heartbeat = 1s});
  const auto other = connect();
  must(busy->declare({.name = queue}));
  must(busy->publish(message("a")));
  must(busy->consume(queue, 1));
  const auto held = next(*busy);
  must(other->consume(queue, 1));
  for (const Instant end = now() + 3s; now() < end;) {
    EXPECT_FALSE(must(other->next(200ms)));
    must(busy->keep_alive());
  }
  must(busy->ack(held.tag));
  must(busy->flush());
}

TEST_F(AmqpContract, AResetConnectionIsClosedAndWhatWasUnderWayUnknown) {
  faults::FaultProxy proxy({.upstream = {"", "127.0.0.1", broker().port()}});
  AmqpAddress through = address();
  through.port = proxy.endpoint().port;
  const auto amqp = must(Amqp::connect(through));
  must(amqp->declare({.name = queue}));
  must(broker().pause());  // so that no confirm comes
  const auto before = proxy.counters().bytes_up;
  std::thread breaker([&] {
    lab::test::eventually(5s, [&] { return proxy.counters().bytes_up > before; });
    proxy.reset_all();
  });
  const auto published = amqp->publish(message("a"));
  breaker.join();
  must(broker().resume());
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::closed);
  EXPECT_EQ(published.error().happened, Happened::unknown);
  const auto later = amqp->publish(message("b"));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().happened, Happened::no);
}

TEST_F(AmqpContract, AConnectionThatIsTurnedDownSaysWhy) {
  AmqpAddress wrong = address();
  wrong.password = "wrong";
  const auto password = Amqp::connect(wrong);
  ASSERT_FALSE(password);
  EXPECT_EQ(password.error().code, ErrorCode::refused);
  EXPECT_EQ(password.error().native_code, "403");
  EXPECT_EQ(password.error().message.find("wrong"), std::string::npos);
  AmqpAddress vhost = address();
  vhost.vhost = "nowhere";
  const auto no_vhost = Amqp::connect(vhost);
  ASSERT_FALSE(no_vhost);
  EXPECT_EQ(no_vhost.error().code, ErrorCode::refused);
  AmqpAddress nobody = address();
  nobody.port = 1;
  const auto refused = Amqp::connect(nobody);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_EQ(refused.error().happened, Happened::no);
}

}  // namespace
}  // namespace lab::infra
