#pragma once
// Jobs that workers take under a lease: what every queue of this room promises, whatever it is kept in. One contract
// suite runs on all of them: tests/contract/job_queue_contract_test.cpp.
//
// Delivery is at least once. A worker that dies, hangs or loses its connection keeps its lease until it runs out; then
// the job goes to somebody else, and the first worker may still be alive (Gray and Cheriton, "Leases", 1989). So each
// claim of a job has a number, its epoch, higher than all before it: a fencing token (Burrows, "The Chubby lock
// service", 2006). The queue takes the word of the latest epoch only. What the job does to the outside world the queue
// cannot take back: make that idempotent, with the job's id as its key.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::queue {

/// waiting → active → completed, or → failed (its next attempt has a time) → waiting …, or → dead (no attempt left).
/// delayed: its first attempt has a time.
enum class JobState { waiting, active, delayed, completed, failed, dead };
std::string_view name(JobState state);

enum class Priority : std::uint8_t { high, normal, low };

struct NewJob {
  /// Chosen by the caller: enqueueing the same id again adds nothing, so a retry after an unknown outcome is safe.
  /// Empty: the queue makes one, and a retry makes a second job. At most 200 characters, without ':', '{', '}', spaces.
  std::string id{};
  std::string payload{};                 // UTF-8 without zero bytes
  Priority priority = Priority::normal;  // all jobs of a priority go before those of the next one
  Nanos delay{};                         // not claimed before; counted from when the queue takes it
  int max_attempts = 0;                  // 0: the queue's
  /// Jobs of one key run one at a time, in the order in which they were enqueued; a job that waits for its retry holds
  /// up those behind it, one that dies does not. Cannot be delayed. Empty: no order.
  std::string order_key{};
};

struct Enqueued {
  std::string id;
  bool added = true;  // false: the id was known already
};

/// What a worker shows to speak for a job: which one, and which claim of it.
struct Receipt {
  std::string id;
  std::int64_t epoch = 0;
};

struct LeasedJob {
  std::string id;
  std::string payload;
  std::string order_key;
  int attempt = 1;  // 1 + how often it failed
  int max_attempts = 1;
  int stalls = 0;          // leases of it that ran out
  std::int64_t epoch = 0;  // of this claim; strictly higher than of every earlier claim of this job
  /// The lease holds at least until then on this process's clock: counted from before the claim was sent.
  Instant lease_until{};

  Receipt receipt() const { return {id, epoch}; }
};

struct Claim {
  std::string worker;  // for history and messages
  std::size_t most = 1;
  Nanos lease = 30s;  // at least a millisecond
  Nanos wait{};       // for the first job to come; zero: answer at once
};

struct Failed {
  Receipt receipt;
  std::string error;    // kept in the job's history
  Nanos retry_after{};  // see RetryPolicy; has no meaning for the last attempt
};

/// How an attempt ended without completing the job, or what else was done to it.
struct HistoryEntry {
  std::int64_t epoch = 0;
  int attempt = 0;
  std::string worker;
  std::string what;   // "failed", "stalled", "gave back", "redriven"
  std::string error;  // of a failure
};

struct JobStatus {
  JobState state = JobState::waiting;
  int attempts = 0;  // failures, and the attempt that completed it
  int max_attempts = 1;
  int stalls = 0;
  std::int64_t epoch = 0;  // how often it was claimed
  int progress_percent = 0;
  std::string last_error;
  std::vector<HistoryEntry>
      history;  // oldest first; the queue keeps the last ones only, at least 20
};

struct DeadLetter {
  std::string id;
  std::string payload;
  JobStatus status;
};

/// How many jobs are in each state now (completed: how many ever were), from the queue's own books.
using Counts = std::map<JobState, std::int64_t>;

/// What a queue decides on its own.
struct QueueRules {
  int max_attempts = 5;  // of jobs that don't say; a job whose last attempt failed is dead
  int max_stalls = 3;  // a job whose worker vanished more often is dead: it may be what kills them
  std::size_t keep_completed =
      100'000;  // so many completed jobs can still be asked about and are known as duplicates
};

/// Thread-safe, unless the implementation says otherwise; each thread waits for its own answer only. Times (leases,
/// delays) are measured by the queue's server, never by its clients, so their clocks need not agree. When the server's
/// clock steps, leases and delays move with it.
///
/// Errors are those of the client below: refused, timeout, closed, with Error::happened saying whether the call may have
/// taken effect. `invalid`: asked for something that cannot be, or that this implementation cannot do (it says so in its
/// header). A worker whose answer about a job is `false` has lost that job: its lease ran out, and it may be running
/// elsewhere. That is no error.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  /// All or none. Answers in the order asked.
  virtual Result<std::vector<Enqueued>> enqueue(std::span<const NewJob> jobs) = 0;

  /// Takes up to `most` jobs that are due, and leases them. Waits when there is none; an empty answer means that none
  /// came in time. Also wakes for jobs that become due, and at least once a second.
  virtual Result<std::vector<LeasedJob>> claim(const Claim& claim) = 0;

  /// The job is done. False: rejected, because the epoch is not the latest or its lease has been taken away.
  virtual Result<std::vector<bool>> complete(std::span<const Receipt> receipts) = 0;

  /// complete and claim, in one round trip where the implementation can.
  struct Turn {
    std::vector<bool> completed;
    std::vector<LeasedJob> claimed;
  };
  virtual Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim);

  /// The attempt failed: back after its time, or dead when it was the last one.
  virtual Result<std::vector<bool>> fail(std::span<const Failed> failures) = 0;

  /// The lease holds for this long from now on. False: lost; stop working on it.
  virtual Result<std::vector<bool>> renew(std::span<const Receipt> receipts, Nanos lease) = 0;

  /// Unfinished, for somebody else, at the front of its priority and without counting as an attempt: what a worker does
  /// that was asked to stop.
  virtual Result<std::vector<bool>> give_back(std::span<const Receipt> receipts) = 0;

  virtual Result<bool> progress(const Receipt& receipt, int percent) = 0;

  /// Takes away leases that ran out, at most so many: back to the front, or dead after too many stalls. Returns how
  /// many. Somebody has to call it now and then, and any number may at once: redelivery comes within lease + the time
  /// between two sweeps.
  virtual Result<std::size_t> sweep(std::size_t most = 1000) = 0;

  /// `not_found` for an id that was never enqueued, or completed too long ago.
  virtual Result<JobStatus> status(const std::string& id) = 0;
  virtual Result<Counts> counts() = 0;

  /// The oldest first, at most so many.
  virtual Result<std::vector<DeadLetter>> dead_letters(std::size_t most = 100) = 0;
  /// A dead job gets all its attempts again, under its own id. False: it is not dead.
  virtual Result<bool> redrive(const std::string& id) = 0;

  // Conveniences over the calls above.
  Result<Enqueued> enqueue(const NewJob& job);
  Result<bool> complete(const Receipt& receipt);
  Result<bool> fail(const Receipt& receipt, std::string_view error, Nanos retry_after);
  Result<bool> renew(const Receipt& receipt, Nanos lease);
  Result<bool> give_back(const Receipt& receipt);
};

}  // namespace lab::queue
