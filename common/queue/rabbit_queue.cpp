#include "queue/rabbit_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <thread>

#include <nlohmann/json.hpp>

#include "infra/deadline.h"
#include "queue/job_checks.h"

namespace lab::queue {
namespace {

using infra::AmqpDelivery;
using infra::AmqpMessage;
using infra::AmqpQueue;
using nlohmann::json;

constexpr Nanos kClaimTurn = 5ms;  // a claim that waits lets others on the connection in between
constexpr std::size_t kHistory = 20;
constexpr Nanos kWrittenDown = 1s;  // twice the delay with which RabbitMQ 3.10 notes a quorum queue

// Headers of a job's message.
constexpr const char *kAttempt = "lab-attempt", *kMaxAttempts = "lab-max-attempts",
                     *kEpoch = "lab-epoch", *kPast = "lab-history";

std::int64_t number(const AmqpMessage& message, const char* key, std::int64_t otherwise) {
  const auto found = message.headers.find(key);
  if (found == message.headers.end()) return otherwise;
  const auto* value = std::get_if<std::int64_t>(&found->second);
  return value ? *value : otherwise;
}

std::string text(const AmqpMessage& message, const char* key) {
  const auto found = message.headers.find(key);
  if (found == message.headers.end()) return {};
  const auto* value = std::get_if<std::string>(&found->second);
  return value ? *value : std::string();
}

std::vector<HistoryEntry> history_of(const AmqpMessage& message) {
  std::vector<HistoryEntry> entries;
  const auto list = json::parse(text(message, kPast), nullptr, false);
  if (!list.is_array()) return entries;
  for (const auto& entry : list) {
    entries.push_back({entry.value("epoch", std::int64_t{0}), entry.value("attempt", 0),
                       entry.value("worker", ""), entry.value("what", ""),
                       entry.value("error", "")});
  }
  return entries;
}

void add_history(AmqpMessage& message, const HistoryEntry& entry) {
  auto list = json::parse(text(message, kPast), nullptr, false);
  if (!list.is_array()) list = json::array();
  list.push_back({{"epoch", entry.epoch},
                  {"attempt", entry.attempt},
                  {"worker", entry.worker},
                  {"what", entry.what},
                  {"error", entry.error}});
  if (list.size() > kHistory) list.erase(list.begin());
  message.headers[kPast] = list.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// So often did it come back without an answer; the quorum queue counts.
std::int64_t returns(const AmqpMessage& message) {
  return number(message, "x-delivery-count", 0);
}

/// As a new message: what the broker noted about the old one is its own affair.
AmqpMessage copy_of(const AmqpMessage& message, std::string queue) {
  AmqpMessage copy = message;
  copy.exchange.clear();
  copy.routing_key = std::move(queue);
  std::erase_if(copy.headers, [](const auto& header) { return header.first.starts_with("x-"); });
  return copy;
}

/// Few queues, and none early.
std::chrono::milliseconds rounded_up(Nanos delay) {
  const auto step = RabbitQueue::step(delay);
  return (std::chrono::ceil<std::chrono::milliseconds>(delay) + step - 1ms) / step * step;
}

Error cannot(const char* what) {
  return {ErrorCode::invalid, Happened::no, fmt::format("a queue in RabbitMQ has no {}", what)};
}

/// What a worker buries has no attempt left; what the broker buries, for having come back too often, it says that it did.
DeadLetter letter_of(const AmqpMessage& message, int max_stalls) {
  DeadLetter letter{.id = message.id, .payload = message.body, .status = {}};
  auto& status = letter.status;
  status.state = JobState::dead;
  status.history = history_of(message);
  status.max_attempts = static_cast<int>(number(message, kMaxAttempts, 1));
  status.attempts = static_cast<int>(number(message, kAttempt, 1)) - 1;
  status.epoch = number(message, kEpoch, 0);
  if (text(message, infra::kReasonOfDeath) == "delivery_limit") {
    status.stalls = max_stalls + 1;
    status.epoch += status.stalls;
    status.history.push_back(
        {.epoch = status.epoch, .attempt = status.attempts + 1, .what = "stalled"});
  }
  for (const auto& entry : status.history) {
    if (!entry.error.empty()) status.last_error = entry.error;
  }
  return letter;
}

}  // namespace

RabbitQueue::RabbitQueue(infra::AmqpAddress address, RabbitQueueOptions options)
    : address_(std::move(address)), options_(std::move(options)) {}

/// Up to 16 ms each delay is its own, above that there are eight to each doubling.
std::chrono::milliseconds RabbitQueue::step(Nanos longest_delay) {
  const auto exact = static_cast<std::uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(longest_delay).count());
  const int unused_bits = std::max(0, static_cast<int>(std::bit_width(exact)) - 4);
  return std::chrono::milliseconds(std::uint64_t{1} << unused_bits);
}

Result<void> RabbitQueue::connect() {
  if (amqp_) {
    if (amqp_->keep_alive()) return {};
    amqp_.reset();
  }
  held_.clear();  // the broker has given them away
  delays_.clear();
  prefetch_ = 0;
  auto made = infra::Amqp::connect(
      address_, {.call_timeout = options_.call_timeout, .heartbeat = kLease / 2});
  if (!made) return made.error();
  if (auto done = (*made)->declare({.name = dead()}); !done) return done;
  const auto done = (*made)->declare({.name = options_.name,
                                      .type = AmqpQueue::Type::quorum,
                                      .dead_letter_exchange = "",
                                      .dead_letter_routing_key = dead(),
                                      .delivery_limit = options_.rules.max_stalls});
  if (done) amqp_ = std::move(*made);
  return done;
}

template <class T, class Body>
Result<T> RabbitQueue::alone(const Body& body) {
  ++callers_;
  const std::lock_guard lock(mutex_);
  --callers_;
  if (auto ready = connect(); !ready) return ready.error();
  return body();
}

Result<void> RabbitQueue::put(std::vector<AmqpMessage> messages) {
  for (const auto& answer : amqp_->publish(messages)) {
    if (!answer) return answer;
  }
  return {};
}

Result<std::string> RabbitQueue::delay_queue(Nanos delay) {
  if (delay <= Nanos{}) return options_.name;
  const auto ttl = rounded_up(delay);
  auto name = fmt::format("{}.in-{}ms", options_.name, ttl.count());
  if (delays_.contains(ttl)) return name;
  // A classic queue forgets what has expired before the other one has it.
  auto done = amqp_->declare({.name = name,
                              .type = AmqpQueue::Type::quorum,
                              .dead_letter_exchange = "",
                              .dead_letter_routing_key = options_.name,
                              .message_ttl = ttl});
  if (!done) return done.error();
  delays_.insert(ttl);
  return name;
}

Result<void> RabbitQueue::prepare(Nanos longest_delay) {
  const auto done = alone<bool>([&]() -> Result<bool> {
    for (Nanos delay = 1ms; delay <= rounded_up(longest_delay); delay += 1ms) {
      if (auto queue = delay_queue(delay); !queue) return queue.error();
      delay = rounded_up(delay);
    }
    return true;
  });
  if (!done) return done.error();
  sleep_for(kWrittenDown);  // nothing tells
  return {};
}

Result<std::vector<Enqueued>> RabbitQueue::enqueue(std::span<const NewJob> jobs) {
  for (const auto& job : jobs) {
    if (auto fits = check_job(job); !fits) return fits.error();
    if (job.priority != Priority::normal) return cannot("priorities");
    if (!job.order_key.empty()) return cannot("order keys");
  }
  return alone<std::vector<Enqueued>>([&]() -> Result<std::vector<Enqueued>> {
    std::vector<AmqpMessage> messages;
    std::vector<Enqueued> answers;
    for (const auto& job : jobs) {
      auto queue = delay_queue(job.delay);
      if (!queue) return queue.error();
      const int most = job.max_attempts > 0 ? job.max_attempts : options_.rules.max_attempts;
      answers.push_back({job.id.empty() ? made_id() : job.id});
      messages.push_back({.routing_key = std::move(*queue),
                          .body = job.payload,
                          .id = answers.back().id,
                          .headers = {{kAttempt, std::int64_t{1}},
                                      {kMaxAttempts, std::int64_t{most}},
                                      {kEpoch, std::int64_t{0}}}});
    }
    if (auto done = put(std::move(messages)); !done) return done.error();
    return answers;
  });
}

/// The broker may push so many messages to us; what is not claimed yet waits in the connection.
Result<void> RabbitQueue::want(std::size_t unacknowledged) {
  if (unacknowledged <= prefetch_) return {};
  const auto bounded = std::min<std::size_t>(std::bit_ceil(unacknowledged), 0xffff);
  auto done = amqp_->consume(options_.name, static_cast<std::uint16_t>(bounded));
  if (done) prefetch_ = unacknowledged;
  return done;
}

LeasedJob RabbitQueue::take(AmqpDelivery delivery, const Claim& claim) {
  const auto& message = delivery.message;
  LeasedJob job{.id = message.id,
                .payload = message.body,
                .order_key = {},
                .attempt = static_cast<int>(number(message, kAttempt, 1)),
                .max_attempts = static_cast<int>(number(message, kMaxAttempts, 1)),
                .stalls = static_cast<int>(returns(message)),
                .epoch = number(message, kEpoch, 0) + returns(message) + 1,
                .lease_until = now() + claim.lease};
  held_.emplace(std::pair(job.id, job.epoch), Held{std::move(delivery), claim.worker});
  return job;
}

Result<std::vector<LeasedJob>> RabbitQueue::claim(const Claim& claim) {
  if (auto fits = check_claim(claim); !fits) return fits.error();
  const infra::Deadline deadline(claim.wait);
  std::vector<LeasedJob> jobs;
  for (bool first = true; jobs.empty() && (first || !deadline.passed()); first = false) {
    const auto turn = alone<bool>([&]() -> Result<bool> {
      if (auto wanted = want(held_.size() + claim.most); !wanted) return wanted.error();
      // A new consumer's first messages are on their way: an answer at once is one round trip.
      if (first && claim.wait == Nanos{}) {
        if (auto read = amqp_->flush(); !read) return read.error();
      }
      while (jobs.size() < claim.most) {
        const Nanos patience = jobs.empty() ? std::min(kClaimTurn, deadline.left()) : Nanos{};
        auto delivery = amqp_->next(patience);
        if (!delivery) return delivery.error();
        if (!*delivery) break;
        jobs.push_back(take(std::move(**delivery), claim));
      }
      return true;
    });
    if (!turn && jobs.empty()) return turn.error();
    while (callers_ > 0) std::this_thread::yield();
  }
  return jobs;
}

template <class Item, class Act>
Result<std::vector<bool>> RabbitQueue::answer_each(std::span<const Item> items, const Act& act) {
  if (items.empty()) return std::vector<bool>();
  return alone<std::vector<bool>>([&]() -> Result<std::vector<bool>> {
    std::vector<bool> answers;
    for (const auto& item : items) {
      const Receipt* receipt = nullptr;
      if constexpr (std::is_same_v<Item, Failed>)
        receipt = &item.receipt;
      else
        receipt = &item;
      const auto held = held_.find({receipt->id, receipt->epoch});
      answers.push_back(held != held_.end());
      if (!answers.back()) continue;
      if (auto done = act(item, held); !done) return done.error();
    }
    // The broker answers none of this by itself.
    if (auto read = amqp_->flush(); !read) return read.error();
    return answers;
  });
}

Result<std::vector<bool>> RabbitQueue::complete(std::span<const Receipt> receipts) {
  return answer_each(receipts, [this](const Receipt&, Jobs::iterator held) {
    const auto tag = held->second.delivery.tag;
    held_.erase(held);
    return amqp_->ack(tag);
  });
}

/// The next attempt is a new message, which the broker has before the old one is acknowledged.
Result<void> RabbitQueue::move_on(const Held& held, const Failed& failed) {
  const auto& message = held.delivery.message;
  const auto attempt = number(message, kAttempt, 1);
  const bool last = attempt >= number(message, kMaxAttempts, 1);
  auto queue = last ? Result<std::string>(dead()) : delay_queue(failed.retry_after);
  if (!queue) return queue.error();
  AmqpMessage next = copy_of(message, std::move(*queue));
  next.headers[kAttempt] = attempt + 1;
  next.headers[kEpoch] = failed.receipt.epoch;
  add_history(
      next, {failed.receipt.epoch, static_cast<int>(attempt), held.worker, "failed", failed.error});
  return put({std::move(next)});
}

Result<std::vector<bool>> RabbitQueue::fail(std::span<const Failed> failures) {
  return answer_each(failures, [this](const Failed& failed, Jobs::iterator held) -> Result<void> {
    if (auto moved = move_on(held->second, failed); !moved) return moved;
    const auto tag = held->second.delivery.tag;
    held_.erase(held);
    return amqp_->ack(tag);
  });
}

Result<std::vector<bool>> RabbitQueue::renew(std::span<const Receipt> receipts, Nanos) {
  return answer_each(receipts, [](const Receipt&, Jobs::iterator) { return Result<void>(); });
}

Result<std::vector<bool>> RabbitQueue::give_back(std::span<const Receipt> receipts) {
  return answer_each(receipts, [this](const Receipt&, Jobs::iterator held) {
    const auto tag = held->second.delivery.tag;
    held_.erase(held);
    return amqp_->reject(tag, true);
  });
}

Result<bool> RabbitQueue::progress(const Receipt&, int) {
  return cannot("progress");
}

Result<std::size_t> RabbitQueue::sweep(std::size_t) {
  return std::size_t{0};
}

Result<JobStatus> RabbitQueue::status(const std::string&) {
  return cannot("status of a job");
}

Result<Counts> RabbitQueue::counts() {
  return alone<Counts>([&]() -> Result<Counts> {
    const auto waiting = amqp_->state(options_.name);
    if (!waiting) return waiting.error();
    const auto buried = amqp_->state(dead());
    if (!buried) return buried.error();
    return Counts{{JobState::waiting, waiting->ready}, {JobState::dead, buried->ready}};
  });
}

Result<std::vector<DeadLetter>> RabbitQueue::dead_letters(std::size_t most) {
  return alone<std::vector<DeadLetter>>([&]() -> Result<std::vector<DeadLetter>> {
    std::vector<DeadLetter> letters;
    std::vector<std::uint64_t> tags;
    while (letters.size() < most) {
      const auto delivery = amqp_->get(dead());
      if (!delivery) return delivery.error();
      if (!*delivery) break;
      letters.push_back(letter_of((*delivery)->message, options_.rules.max_stalls));
      tags.push_back((*delivery)->tag);
    }
    for (const auto tag : tags) {
      if (auto back = amqp_->reject(tag, true); !back) return back.error();
    }
    if (auto read = amqp_->flush(); !read) return read.error();
    return letters;
  });
}

Result<bool> RabbitQueue::redrive(const std::string& id) {
  return alone<bool>([&]() -> Result<bool> {
    std::vector<std::uint64_t> others;
    bool found = false;
    while (!found) {
      const auto delivery = amqp_->get(dead());
      if (!delivery) return delivery.error();
      if (!*delivery) break;
      const auto& message = (*delivery)->message;
      found = message.id == id;
      if (!found) {
        others.push_back((*delivery)->tag);
        continue;
      }
      AmqpMessage again = copy_of(message, options_.name);
      const auto epoch = letter_of(message, options_.rules.max_stalls).status.epoch;
      again.headers[kAttempt] = std::int64_t{1};
      again.headers[kEpoch] = epoch;
      add_history(again, {epoch, 0, {}, "redriven", {}});
      if (auto moved = put({std::move(again)}); !moved) return moved.error();
      if (auto gone = amqp_->ack((*delivery)->tag); !gone) return gone.error();
    }
    for (const auto tag : others) {
      if (auto back = amqp_->reject(tag, true); !back) return back.error();
    }
    if (auto read = amqp_->flush(); !read) return read.error();
    return found;
  });
}

}  // namespace lab::queue
