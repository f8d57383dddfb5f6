#include "infra/redis_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

namespace lab::infra {

/// On its caller's stack; the lane keeps a pointer until it is answered or withdrawn.
struct RedisBatchLane::Call {
  enum class Turn { waits, leads, answered };

  std::string_view request;
  const Deadline& deadline;
  std::atomic<EventCount*> bed{nullptr};  // where it sleeps
  std::optional<Result<RedisReply>> reply{};
  std::atomic<Turn> turn{Turn::waits};
};

RedisBatchLane::RedisBatchLane(RedisAddress address, Nanos connect_timeout)
    : address_(std::move(address)), connect_timeout_(connect_timeout) {}

Result<RedisReply> RedisBatchLane::call(std::string_view request, const Deadline& deadline) {
  Call call{request, deadline};
  bool leads = false;
  {
    const std::lock_guard lock(mutex_);
    call.bed = forming_.empty() ? &may_lead_ : &answered_[round_ % 2];
    forming_.push_back(&call);
    leads = !std::exchange(led_, true);
  }
  if (leads || wait(call) == Outcome::leads) lead();
  return std::move(*call.reply);
}

RedisBatchLane::Outcome RedisBatchLane::wait(Call& call) {
  Deadline until = call.deadline;
  for (;;) {
    EventCount& bed = *call.bed.load();
    const auto seen = bed.count();
    const auto turn = call.turn.load(std::memory_order_acquire);
    if (turn == Call::Turn::answered) return Outcome::answered;
    if (until.passed()) {
      if (withdraw(call)) return Outcome::answered;
      until = Deadline();  // it has been sent: whoever sent it keeps its limit too
    } else if (turn == Call::Turn::leads) {
      return Outcome::leads;
    } else {
      bed.wait(seen, until);
    }
  }
}

bool RedisBatchLane::withdraw(Call& call) {
  std::unique_lock lock(mutex_);
  const auto mine = std::find(forming_.begin(), forming_.end(), &call);
  if (mine == forming_.end()) return false;
  forming_.erase(mine);
  call.reply = Error{ErrorCode::timeout, Happened::no,
                     "not sent in time: an earlier call waits for its answer"};
  if (call.turn.load(std::memory_order_relaxed) == Call::Turn::leads) {
    hand_over(lock);
  } else if (call.bed == &may_lead_ && !forming_.empty()) {
    forming_.front()->bed = &may_lead_;
    answered_[round_ % 2].notify_all();  // it lies down again, where it will be called to lead
  }
  return true;
}

void RedisBatchLane::hand_over(std::unique_lock<std::mutex>& lock) {
  if (forming_.empty()) {
    led_ = false;
    return;
  }
  Call& next = *forming_.front();
  EventCount& bed = *next.bed.load();
  next.turn.store(Call::Turn::leads, std::memory_order_release);
  lock.unlock();
  bed.notify_all();
}

void RedisBatchLane::lead() {
  unsigned round = 0;
  {
    const std::lock_guard lock(mutex_);
    sent_.swap(forming_);
    round = round_++;
  }
  exchange(sent_);
  const Batch batch = std::exchange(sent_, {});
  {
    std::unique_lock lock(mutex_);
    hand_over(lock);
  }
  // From the moment it is answered a call may be gone with its caller's stack.
  for (Call* call : batch) call->turn.store(Call::Turn::answered, std::memory_order_release);
  if (batch.size() > 1) answered_[round % 2].notify_all();
}

void RedisBatchLane::exchange(const Batch& batch) {
  Deadline deadline;
  requests_.clear();
  replies_.clear();
  for (const Call* call : batch) {
    deadline = Deadline::earlier(deadline, call->deadline);
    requests_ += call->request;
  }
  auto done = connect(deadline);
  if (done) {
    done = connection_->exchange(requests_, batch.size(), deadline, replies_);
    // The server had hung up before anything was sent: as good as not connected yet.
    if (!done && done.error().code == ErrorCode::closed && done.error().happened == Happened::no) {
      connection_.reset();
      done = connect(deadline);
      if (done) done = connection_->exchange(requests_, batch.size(), deadline, replies_);
    }
  }
  if (!done) {
    connection_.reset();
    // Once the stream is out of step nobody can say whose answer is whose.
    if (done.error().code == ErrorCode::protocol) replies_.clear();
  }
  for (std::size_t i = 0; i < replies_.size(); ++i) batch[i]->reply = std::move(replies_[i]);
  for (std::size_t i = replies_.size(); i < batch.size(); ++i) {
    batch[i]->reply = told_to(*batch[i], done.error());
  }
}

/// One caller's limit ended the batch; for those with time left it is the connection that broke.
Error RedisBatchLane::told_to(const Call& call, Error error) {
  if (error.code == ErrorCode::timeout && error.happened == Happened::unknown &&
      !call.deadline.passed()) {
    error.code = ErrorCode::closed;
    error.message += ", and the call it was sent with gave up";
  }
  return error;
}

Result<void> RedisBatchLane::connect(const Deadline& deadline) {
  if (connection_ && !connection_->stale()) return {};
  auto opened = RedisConnection::open(address_, deadline.capped(connect_timeout_));
  if (!opened) return opened.error();
  connection_ = std::move(*opened);
  return {};
}

RedisBatches::RedisBatches(const RedisAddress& address, const RedisOptions& options) {
  const std::size_t lanes = std::max<std::size_t>(options.lanes, 1);
  for (auto* kind : {&limited_, &unlimited_}) {
    for (std::size_t i = 0; i < lanes; ++i) {
      kind->push_back(std::make_unique<RedisBatchLane>(address, options.connect_timeout));
    }
  }
}

Result<RedisReply> RedisBatches::call(std::string_view request, const Deadline& deadline) {
  if (deadline.passed()) return Error{ErrorCode::timeout, Happened::no, "no time to send anything"};
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads++;
  const auto& lanes = deadline.never() ? unlimited_ : limited_;
  return lanes[mine % lanes.size()]->call(request, deadline);
}

}  // namespace lab::infra
