#include "infra/redis_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace lab::infra {
namespace {

enum Turn : std::uint32_t { waiting, leads, answered };

}  // namespace

/// On its caller's stack; the lane keeps a pointer until it is answered or withdrawn.
struct RedisBatchLane::Call {
  std::string_view request;
  const Deadline& deadline;
  std::optional<Result<RedisReply>> reply{};
  WaitWord turn{};
};

RedisBatchLane::RedisBatchLane(RedisAddress address, Nanos connect_timeout)
    : address_(std::move(address)), connect_timeout_(connect_timeout) {}

Result<RedisReply> RedisBatchLane::call(std::string_view request, const Deadline& deadline) {
  Call call{request, deadline};
  {
    const std::lock_guard lock(mutex_);
    forming_.push_back(&call);
    if (!led_) {
      led_ = true;
      call.turn.store(leads);
    }
  }
  if (!wait_for_turn_or_answer(call)) lead();
  return std::move(*call.reply);
}

bool RedisBatchLane::wait_for_turn_or_answer(Call& call) {
  Deadline until = call.deadline;
  for (;;) {
    const auto turn = call.turn.load();
    if (turn == answered) return true;
    if (turn == leads && !until.passed()) return false;
    if (until.passed()) {
      std::unique_lock lock(mutex_);
      const auto mine = std::find(forming_.begin(), forming_.end(), &call);
      if (mine != forming_.end()) {
        forming_.erase(mine);
        call.reply = Error{ErrorCode::timeout, Happened::no,
                           "not sent in time: an earlier call waits for its answer"};
        if (call.turn.load() == leads) hand_over_locked(lock);
        return true;
      }
      until = Deadline();  // it has been sent: whoever sent it keeps its limit too
      continue;
    }
    call.turn.wait(waiting, until);
  }
}

void RedisBatchLane::hand_over_locked(std::unique_lock<std::mutex>& lock) {
  if (forming_.empty()) {
    led_ = false;
    return;
  }
  WaitWord& turn = forming_.front()->turn;
  turn.store(leads);
  lock.unlock();
  turn.wake_one();
}

void RedisBatchLane::lead() {  // the first of the forming batch does
  {
    const std::lock_guard lock(mutex_);
    sent_.swap(forming_);
  }
  exchange(sent_);
  const Batch batch = std::exchange(sent_, {});
  {
    std::unique_lock lock(mutex_);
    hand_over_locked(lock);
  }
  for (Call* call : batch) {
    // Once answered, the call may be gone with its caller's stack: waking needs the address only.
    WaitWord& turn = call->turn;
    turn.store(answered);
    if (call != batch.front()) turn.wake_one();
  }
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
  if (done) done = connection_->exchange(requests_, batch.size(), deadline, replies_);
  for (std::size_t i = 0; i < replies_.size(); ++i) batch[i]->reply = std::move(replies_[i]);
  if (done) return;

  connection_.reset();
  for (std::size_t i = replies_.size(); i < batch.size(); ++i) {
    Error error = done.error();
    if (error.code == ErrorCode::timeout && !batch[i]->deadline.passed()) {
      error.code = ErrorCode::closed;
      error.message += ", and the call it was sent with gave up";
    }
    batch[i]->reply = error;
  }
}

Result<void> RedisBatchLane::connect(const Deadline& deadline) {
  if (connection_ && !connection_->stale()) return {};
  auto opened = RedisConnection::open(address_, deadline.capped(connect_timeout_));
  if (!opened) return opened.error();
  connection_ = std::move(*opened);
  return {};
}

}  // namespace lab::infra
