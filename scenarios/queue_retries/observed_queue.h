#pragma once
// What a worker uses, with a recorder in between: every claim and completion goes into the worker's log, and the named
// crash points are passed. The variants know nothing of it.

#include "actors/crash_points.h"
#include "actors/operation_log.h"
#include "forwarding_queue.h"
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
class ObservedQueue : public ForwardingQueue {
 public:
  ObservedQueue(lab::queue::JobQueue& queue, Recorder& recorder)
      : ForwardingQueue(queue), recorder_(recorder) {}

  Result<std::vector<LeasedJob>> claim(const Claim& claim) override;
  Result<std::vector<bool>> complete(std::span<const Receipt> receipts) override;
  Result<Turn> complete_and_claim(std::span<const Receipt> receipts, const Claim& claim) override;
  Result<std::vector<bool>> fail(std::span<const lab::queue::Failed> failures) override;

 private:
  void note_claimed(const std::vector<LeasedJob>& jobs);
  void note_completed(std::span<const Receipt> receipts, const std::vector<bool>& accepted);

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
