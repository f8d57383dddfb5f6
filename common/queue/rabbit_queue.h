#pragma once
// The job queue in RabbitMQ. A job is a message: the broker keeps it until it is acknowledged, and gives it to somebody
// else as soon as the connection that had it is gone.
//
//   NAME          a quorum queue: what waits. It counts how often a message came back without an answer
//   NAME.in-…ms   a quorum queue for each delay: messages expire there and are dead-lettered into NAME, at least once: a
//                 delay queue keeps a message until NAME has confirmed it
//   NAME.dead     the dead, in order: by the worker, after the last attempt, or by the broker, after too many returns
//
// What it does differently, because a broker keeps messages and no books:
// - The lease is the connection. It ends when the worker dies, or is silent for about two heartbeats of a second (any call
//   sends one; renew() is enough). The time that a claim or a renewal names is not used. A worker that stops for longer has lost
//   its jobs: its connection is closed, and what it says about them is answered with false.
// - An id is not remembered: enqueueing it again adds a second job. After a failure the next attempt is a new message,
//   confirmed before the old one is acknowledged: a crash between the two leaves both. So is a redriven job. Make effects
//   idempotent, with the id as key.
// - A job that was accepted survives a kill of the broker wherever it is. One gap is left: RabbitMQ 3.10 notes with a delay of
//   half a second that a quorum queue is there, and forgets a newer one with all that it confirmed. See prepare().
// - Delays are rounded up, by at most an eighth; so a queue has about eight delay queues for each doubling. What is given back
//   goes through the broker's count of returns.
// - sweep() has nothing to do. counts() knows waiting and dead; what workers have in hand, what is delayed and what
//   is done it does not know, and leaves out.
// - status() and progress() answer `invalid`: nobody can ask about a message in a queue. So do priorities other than
//   normal, and order keys.
// - dead_letters() and redrive() take messages out and put them back: not for two callers at once. Broken connections are
//   replaced at the next call.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "infra/amqp.h"
#include "queue/job_queue.h"

namespace lab::queue {

struct RabbitQueueOptions {
  std::string name = "jobs";
  QueueRules rules{};  // keep_completed has no meaning here
  std::chrono::milliseconds call_timeout{5000};
};

/// Thread-safe; calls take turns on one connection.
class RabbitQueue : public JobQueue {
 public:
  /// Two heartbeats. A worker that is silent for so long may have lost its jobs; the broker is seen to take a second more.
  static constexpr std::chrono::seconds kLease{2};
  /// Delays up to this one are kept in steps of at most so long, and lengthened by less.
  static std::chrono::milliseconds step(Nanos longest_delay);

  explicit RabbitQueue(infra::AmqpAddress address, RabbitQueueOptions options = {});

  using JobQueue::complete;
  using JobQueue::enqueue;
  using JobQueue::fail;
  using JobQueue::give_back;
  using JobQueue::renew;

  /// Declares the queues, also those of all delays up to this one, and returns when the broker has had time to note
  /// that they are there. Takes seconds: once, before a queue is used for the first time. Without it they are declared when
  /// they are needed.
  Result<void> prepare(Nanos longest_delay);

  /// Not all or none: on an error some may have been taken.
  Result<std::vector<Enqueued>> enqueue(std::span<const NewJob> jobs) override;
  Result<std::vector<LeasedJob>> claim(const Claim& claim) override;
  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override;
  Result<std::vector<bool>> fail(std::span<const Failed> failures) override;
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, Nanos lease) override;
  Result<std::vector<bool>> give_back(std::span<const Receipt> receipts) override;
  Result<bool> progress(const Receipt& receipt, int percent) override;
  Result<std::size_t> sweep(std::size_t most) override;
  Result<JobStatus> status(const std::string& id) override;
  Result<Counts> counts() override;
  Result<std::vector<DeadLetter>> dead_letters(std::size_t most) override;
  Result<bool> redrive(const std::string& id) override;

 private:
  struct Held {
    infra::AmqpDelivery delivery;
    std::string worker;
  };
  /// By id and epoch. There may be two of the same, when a job was enqueued twice: each receipt speaks for one.
  using Jobs = std::multimap<std::pair<std::string, std::int64_t>, Held>;

  /// Runs `body` on a connection with its queues declared, alone; a connection that broke meanwhile is given up.
  template <class T, class Body>
  Result<T> alone(const Body& body);
  Result<void> connect();
  /// One answer for each item: false when it is not held by us any more, else what `act` says.
  template <class Item, class Act>
  Result<std::vector<bool>> answer_each(std::span<const Item> items, const Act& act);

  Result<void> put(std::vector<infra::AmqpMessage> messages);
  Result<std::string> delay_queue(Nanos delay);
  Result<void> move_on(const Held& held, const Failed& failed);
  Result<void> want(std::size_t unacknowledged);
  LeasedJob take(infra::AmqpDelivery delivery, const Claim& claim);
  std::string dead() const { return options_.name + ".dead"; }

  const infra::AmqpAddress address_;
  const RabbitQueueOptions options_;
  std::atomic<int> callers_{0};  // a claim that waits lets them in
  std::mutex mutex_;             // guards what follows
  std::unique_ptr<infra::Amqp> amqp_;
  std::size_t prefetch_ = 0;
  std::set<std::chrono::milliseconds> delays_;  // whose queues are there
  Jobs held_;
};

}  // namespace lab::queue
