#pragma once
// What a worker uses, with a recorder in between: every claim and completion goes into the worker's log, and the named
// crash points are passed. The variants know nothing of it.

#include "actors/crash_points.h"
#include "actors/operation_log.h"
#include "job_worker.h"
#include "workload.h"

namespace queue_retries {

/// Where a worker can be told to die.
inline constexpr const char* kAfterClaim = "after_claim";    // before the job is begun
inline constexpr const char* kMidWork = "mid_work";          // before it has its effect
inline constexpr const char* kAfterEffect = "after_effect";  // before the queue is told
inline constexpr const char* kAfterAck = "after_ack";        // after the queue was told
std::vector<std::string> crash_points();

/// For the worker's own thread.
class Recorder {
 public:
  Recorder(lab::actors::OperationLog& log, lab::actors::CrashPoints& points, std::uint32_t worker)
      : log_(log), points_(points), worker_(worker) {}

  void begin(Kind kind, std::int64_t job, std::int64_t value, std::int64_t aux);
  void end(lab::harness::Outcome outcome);
  /// begin and end, of what has just happened.
  void note(Kind kind, std::int64_t job, std::int64_t value, std::int64_t aux);
  void pass(const char* point) { points_.pass(point); }

 private:
  lab::actors::OperationLog& log_;
  lab::actors::CrashPoints& points_;
  const std::uint32_t worker_;
  lab::harness::Operation under_way_;
};

/// As thread-safe as its queue, except for claim, complete and fail, which are for the worker's thread.
class ObservedQueue : public lab::queue::JobQueue {
 public:
  using Claim = lab::queue::Claim;
  using Receipt = lab::queue::Receipt;

  ObservedQueue(lab::queue::JobQueue& queue, Recorder& recorder)
      : queue_(queue), recorder_(recorder) {}

  Result<std::vector<lab::queue::Enqueued>> enqueue(
      std::span<const lab::queue::NewJob> jobs) override {
    return queue_.enqueue(jobs);
  }
  Result<std::vector<lab::queue::LeasedJob>> claim(const Claim& claim) override;
  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override;
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override;
  Result<std::vector<bool>> fail(std::span<const lab::queue::Failed> failures) override;
  Result<std::vector<bool>> renew(std::span<const Receipt> receipts, Nanos lease) override {
    return queue_.renew(receipts, lease);
  }
  Result<std::vector<bool>> give_back(std::span<const Receipt> receipts) override {
    return queue_.give_back(receipts);
  }
  Result<bool> progress(const Receipt& receipt, int percent) override {
    return queue_.progress(receipt, percent);
  }
  Result<std::size_t> sweep(std::size_t most) override { return queue_.sweep(most); }
  Result<lab::queue::JobStatus> status(const std::string& id) override { return queue_.status(id); }
  Result<lab::queue::Counts> counts() override { return queue_.counts(); }
  Result<std::vector<lab::queue::DeadLetter>> dead_letters(std::size_t most) override {
    return queue_.dead_letters(most);
  }
  Result<bool> redrive(const std::string& id) override { return queue_.redrive(id); }

 private:
  void note_claimed(const std::vector<lab::queue::LeasedJob>& jobs);
  void note_completed(std::span<const Receipt> receipts, const std::vector<bool>& accepted);

  lab::queue::JobQueue& queue_;
  Recorder& recorder_;
};

class ObservedList : public JobList {
 public:
  ObservedList(JobList& list, Recorder& recorder) : list_(list), recorder_(recorder) {}
  Result<void> push(const std::vector<Item>& items) override { return list_.push(items); }
  Result<std::vector<Item>> pop(std::size_t most, Nanos wait) override;
  Result<std::size_t> size() override { return list_.size(); }

 private:
  JobList& list_;
  Recorder& recorder_;
};

/// The number in "email-17", or "email-17.2".
std::int64_t number_of(std::string_view id);

}  // namespace queue_retries
