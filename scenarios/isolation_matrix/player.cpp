#include "player.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "workload.h"

namespace isolation_matrix {
namespace {

using lab::Failure;
using lab::Instant;
using lab::Nanos;
using lab::now;
using lab::infra::SqlConnection;

constexpr auto kLook = std::chrono::milliseconds(2);  // between two questions who waits
constexpr int kConfirmed = 2;  // a transaction that was just let go may still be counted once

/// One transaction's connection. Not thread-safe.
class Performer {
 public:
  explicit Performer(std::unique_ptr<SqlConnection> connection)
      : connection_(std::move(connection)) {}

  Answer perform(const std::string& statement) {
    Answer answer;
    if (over_) return answer;
    const auto result = run(statement);
    answer.state = result ? Answer::State::done : Answer::State::failed;
    if (result) {
      answer.result = *result;
    } else {
      answer.error = result.error();
      end();
    }
    over_ |= statement == "COMMIT" || statement == "ROLLBACK";
    return answer;
  }

  /// Ready for the next script.
  void start_over() {
    end();
    over_ = false;
  }

 private:
  lab::Result<lab::infra::SqlResult> run(const std::string& statement) {
    if (!open_) {
      if (auto begun = connection_->begin(); !begun) return begun.error();
      open_ = true;
    }
    if (statement == "COMMIT") return nothing(connection_->commit());
    if (statement == "ROLLBACK") return nothing(connection_->rollback());
    return connection_->run(statement);
  }

  lab::Result<lab::infra::SqlResult> nothing(const lab::Result<void>& ended) {
    if (!ended) return ended.error();
    open_ = false;
    return lab::infra::SqlResult{};
  }

  void end() {
    if (open_) (void)connection_->rollback();
    open_ = false;
    over_ = true;
  }

  std::unique_ptr<SqlConnection> connection_;
  bool open_ = false;
  bool over_ = false;  // committed, rolled back or aborted
};

}  // namespace

/// The transactions' threads, and who is doing what. The mutex guards all but the transactions
/// themselves, which belong to their threads while a script runs.
class Player::Stage {
 public:
  Stage(std::vector<std::unique_ptr<SqlConnection>> connections,
        std::unique_ptr<SqlConnection> observer, std::string count_waiting, PlayerLimits limits)
      : observer_(std::move(observer)), count_waiting_(std::move(count_waiting)), limits_(limits) {
    for (auto& connection : connections) performers_.emplace_back(std::move(connection));
    todo_.resize(performers_.size());
    for (std::size_t who = 0; who < performers_.size(); ++who)
      threads_.emplace_back([this, who] { act(who); });
  }

  ~Stage() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  Played play(const Script& script) {
    for (auto& performer : performers_) performer.start_over();
    for (const auto& statement : reset_accounts()) ask(statement);
    {
      const std::lock_guard lock(mutex_);
      script_ = &script;
      answers_.assign(script.steps.size(), {});
      waited_.assign(script.steps.size(), false);
    }
    for (std::size_t step = 0; step < script.steps.size(); ++step) {
      give(step);
      settle();
    }
    finish();
    for (auto& performer : performers_) performer.start_over();
    for (std::size_t step = 0; step < answers_.size(); ++step)
      answers_[step].waited = waited_[step];
    return {script, std::move(answers_), ask("SELECT id, balance FROM accounts ORDER BY id").rows};
  }

 private:
  lab::infra::SqlResult ask(const std::string& statement) {
    auto result = observer_->run(statement);
    if (!result) throw Failure(result.error());
    return std::move(*result);
  }

  /// A transaction's thread: does its steps in order.
  void act(std::size_t who) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return closing_ || !todo_[who].empty(); });
      if (closing_) return;
      const std::size_t step = todo_[who].front();
      const std::string statement = script_->steps[step].statement;
      const std::size_t began = given_;
      lock.unlock();
      Answer answer = performers_[who].perform(statement);
      lock.lock();
      answers_[step] = std::move(answer);
      answers_[step].steps = given_ - began;
      todo_[who].pop_front();
      ++done_;
      changed_.notify_all();
    }
  }

  void give(std::size_t step) {
    const std::lock_guard lock(mutex_);
    given_ = step;
    todo_[script_->steps[step].who].push_back(step);
    changed_.notify_all();
  }

  std::size_t busy() const {
    return static_cast<std::size_t>(std::count_if(
        todo_.begin(), todo_.end(), [](const auto& steps) { return !steps.empty(); }));
  }

  /// Until everybody is idle, or all who are not wait for one another.
  void settle() {
    std::unique_lock lock(mutex_);
    Instant quiet_since = now();
    const Instant limit = now() + limits_.step;
    int seen = 0;
    for (std::uint64_t done = done_; busy() > 0;) {
      changed_.wait_for(lock, kLook, [&] { return done_ != done || busy() == 0; });
      if (done_ == done) {
        seen = all_wait(lock, quiet_since) && done_ == done ? seen + 1 : 0;
        if (seen == kConfirmed) return mark_waiting();
      }
      if (done_ != done) {
        done = done_;
        seen = 0;
        quiet_since = now();
      }
      if (now() >= limit) throw Failure(stalled());
    }
  }

  /// Asks without the lock: what was true before may not be so afterwards.
  bool all_wait(std::unique_lock<std::mutex>& lock, Instant quiet_since) {
    if (count_waiting_.empty()) return now() - quiet_since >= limits_.patience;
    const std::size_t unfinished = busy();
    lock.unlock();
    const auto rows = ask(count_waiting_).rows;
    lock.lock();
    return static_cast<std::size_t>(lab::infra::as_integer(rows.at(0).at(0))) >= unfinished;
  }

  void mark_waiting() {
    for (const auto& steps : todo_) {
      if (!steps.empty()) waited_[steps.front()] = true;
    }
  }

  /// The script is at its end; who still waits gets what it waits for, or the engine's time limit
  /// ends it.
  void finish() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limits_.step, [&] { return busy() == 0; }))
      throw Failure(stalled());
  }

  std::string stalled() const {
    return fmt::format("{}: a step took longer than {:.0f} s", script_->anomaly,
                       lab::seconds(limits_.step));
  }

  std::vector<Performer> performers_;
  std::unique_ptr<SqlConnection> observer_;
  const std::string count_waiting_;
  const PlayerLimits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const Script* script_ = nullptr;
  std::vector<std::deque<std::size_t>> todo_;  // steps of each transaction; the first is under way
  std::vector<Answer> answers_;
  std::vector<bool> waited_;
  std::size_t given_ = 0;  // the newest step
  std::uint64_t done_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

Player::Player(std::vector<std::unique_ptr<SqlConnection>> transactions,
               std::unique_ptr<SqlConnection> observer, std::string count_waiting,
               PlayerLimits limits)
    : stage_(std::make_unique<Stage>(std::move(transactions), std::move(observer),
                                     std::move(count_waiting), limits)) {}

Player::~Player() = default;

Played Player::play(const Script& script) {
  return stage_->play(script);
}

}  // namespace isolation_matrix
