#pragma once
// The job queue in Redis: every operation is one Lua script, one round trip, and takes any number of jobs at once.
// Nothing walks through all jobs. Needs Redis 6.2 or newer.
//
// How safe a job is, is how safe Redis is: without an append-only file it loses every job when it dies; with one and
// `appendfsync no` it keeps them when the process is killed, with `always` when the machine is, and with `everysec` it may lose what
// it answered while the disk was slow.

#include <string>

#include "infra/redis.h"
#include "queue/job_queue.h"

namespace lab::queue {

struct RedisQueueOptions {
  std::string name = "jobs";  // without '{', '}' and ':'
  QueueRules rules{};
  /// For each call; a claim that waits gets its own time on top. Without: for ever.
  std::optional<Nanos> call_timeout{};
};

struct RedisQueueScripts;

/// What the queues in Redis share: they differ only in where waiting and leased jobs are.
class ScriptedQueue : public JobQueue {
 public:
  using JobQueue::complete;
  using JobQueue::enqueue;
  using JobQueue::fail;
  using JobQueue::give_back;
  using JobQueue::renew;

  Result<std::vector<Enqueued>> enqueue(std::span<const NewJob> jobs) override;
  Result<std::vector<LeasedJob>> claim(const Claim& claim) override;
  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override;
  /// One round trip; a second and third only when there is nothing to claim and `wait` allows to wait for it.
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override;
  Result<std::vector<bool>> fail(std::span<const Failed> failures) override;
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, Nanos lease) override;
  Result<std::vector<bool>> give_back(std::span<const Receipt> receipts) override;
  Result<bool> progress(const Receipt& receipt, int percent) override;
  Result<std::size_t> sweep(std::size_t most) override;
  Result<JobStatus> status(const std::string& id) override;
  Result<Counts> counts() override;
  Result<std::vector<DeadLetter>> dead_letters(std::size_t most) override;
  Result<bool> redrive(const std::string& id) override;

 protected:
  /// `lease`: the one lease of all jobs, where the implementation knows but one.
  ScriptedQueue(infra::Redis& redis, infra::Redis& waiting, RedisQueueOptions options,
                const RedisQueueScripts& scripts, std::optional<Nanos> lease = {});

 private:
  using Words = std::vector<std::string>;
  Result<infra::RedisReply> run(const infra::RedisScript& script, const Words& arguments);
  Result<std::vector<bool>> run_answers(const infra::RedisScript& script, const Words& arguments);

  struct Turned {
    Turn turn;
    std::optional<Nanos> next_due;  // when nothing could be claimed but will be
  };
  Result<Turned> turn(std::span<const Receipt> receipts, const Claim& claim);
  Result<void> check(const Claim& claim) const;
  Result<void> check_lease(Nanos lease) const;
  Result<void> wait_for_wake_up(Nanos limit);
  std::vector<LeasedJob> leased_jobs(std::span<infra::RedisReply> claims,
                                     std::span<infra::RedisReply> records,
                                     std::span<infra::RedisReply> more, Instant until) const;
  JobStatus status_from(std::span<infra::RedisReply> fields) const;

  infra::Redis& redis_;
  infra::Redis& waiting_;
  const RedisQueueOptions options_;
  const RedisQueueScripts& scripts_;
  const std::optional<Nanos> lease_;
  const std::string key_;   // "{queue:NAME}"
  const std::string wake_;  // where sleepers wait
};

/// On lists and sorted sets: claim takes from a list and notes the lease.
class RedisJobQueue : public ScriptedQueue {
 public:
  /// Both clients must outlive the queue. `waiting` is where claims wait (BLPOP), one connection for each waiting
  /// thread; it may be the same client, unless that one batches calls.
  RedisJobQueue(infra::Redis& redis, infra::Redis& waiting, RedisQueueOptions options = {});
};

/// On Redis Streams and a consumer group. A stream knows how long an entry has been pending, not until when it was
/// leased, and has no front. So: one lease for all jobs, given here (a claim or a renewal with another one is
/// `invalid`, as is a claim for a worker called ":", which is nobody's name); what is given back goes behind what waits
/// (what is redelivered does not: it stays pending, and is claimed before anything new); a sweep looks through all
/// pending entries.
class StreamsQueue : public ScriptedQueue {
 public:
  StreamsQueue(infra::Redis& redis, infra::Redis& waiting, Nanos lease,
               RedisQueueOptions options = {});
};

}  // namespace lab::queue
