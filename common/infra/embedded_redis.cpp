#include "infra/embedded_redis.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "infra/deadline.h"
#include "infra/embedded_store.h"

namespace lab::infra {

struct EmbeddedRedis::State {
  using Words = std::span<const std::string_view>;

  explicit State(Options chosen) : options(chosen) {}

  const Options options;
  std::mutex mutex;
  std::condition_variable changed;
  // All guarded by mutex.
  bool alive = true;
  bool paused = false;
  std::uint64_t life =
      1;  // +1 with every kill: a call that began in another life lost its connection
  std::unique_ptr<EmbeddedStore> store = std::make_unique<EmbeddedStore>();
  std::optional<EmbeddedStore::Entries> snapshot;
  std::vector<Redis::Command> late;  // given up by their callers while the server was paused

  Result<std::uint64_t> connect() {
    const std::lock_guard lock(mutex);
    if (alive) return life;
    return Error{ErrorCode::refused, Happened::no, "embedded Redis: connection refused"};
  }

  /// The request arrives after the round trip, the answer comes at once: the sum is what counts.
  bool travel(const Deadline& deadline) const {
    const Instant arrival = now() + options.round_trip;
    const bool in_time = deadline.never() || arrival <= deadline.at();
    sleep_until(in_time ? arrival : deadline.at());
    return in_time;
  }

  Result<RedisReply> arrive(Words words, bool in_time, std::uint64_t began,
                            const Deadline& deadline) {
    std::unique_lock lock(mutex);
    const auto free = [&] { return !paused || life != began; };
    if (deadline.never()) {
      changed.wait(lock, free);
    } else {
      in_time = changed.wait_until(lock, deadline.at(), free) && in_time;
    }
    if (life != began) {
      return Error{ErrorCode::closed, Happened::unknown,
                   "embedded Redis: closed the connection before it answered"};
    }
    if (in_time) return store->execute(words);
    // As with a real server, the request lies in its socket and is carried out although nobody
    // waits.
    if (paused) {
      late.emplace_back(words.begin(), words.end());
    } else {
      (void)store->execute(words);
    }
    return Error{ErrorCode::timeout, Happened::unknown, "embedded Redis: no answer in time"};
  }
};

namespace {

std::vector<std::string_view> views(const Redis::Command& command) {
  return {command.begin(), command.end()};
}

}  // namespace

EmbeddedRedis::EmbeddedRedis(Options options) : state_(std::make_unique<State>(options)) {}
EmbeddedRedis::~EmbeddedRedis() = default;

std::unique_ptr<Redis> EmbeddedRedis::client() {
  class Client : public Redis {
   public:
    explicit Client(State& state) : state_(state) {}

    Result<RedisReply> command(std::span<const std::string_view> words, RedisCall call) override {
      const Deadline deadline(call.timeout);
      const auto life = state_.connect();
      if (!life) return life.error();
      const bool in_time = state_.travel(deadline);
      return state_.arrive(words, in_time, *life, deadline);
    }

    Result<std::vector<Result<RedisReply>>> pipeline(std::span<const Command> commands,
                                                     RedisCall call) override {
      std::vector<Result<RedisReply>> replies;
      if (commands.empty()) return replies;
      const Deadline deadline(call.timeout);
      const auto life = state_.connect();
      if (!life) return life.error();
      const bool in_time = state_.travel(deadline);
      std::optional<Error> broken;  // the later commands are on their way all the same
      for (const Command& command : commands) {
        auto reply = state_.arrive(views(command), in_time && !broken, *life, deadline);
        if (!reply && reply.error().code != ErrorCode::invalid && !broken) broken = reply.error();
        replies.push_back(std::move(reply));
      }
      if (broken) return *broken;
      return replies;
    }

   private:
    State& state_;
  };
  return std::make_unique<Client>(*state_);
}

void EmbeddedRedis::kill() {
  const std::lock_guard lock(state_->mutex);
  if (!state_->alive) return;
  state_->alive = false;
  state_->paused = false;
  ++state_->life;
  state_->late.clear();
  state_->store = std::make_unique<EmbeddedStore>();
  state_->changed.notify_all();
}

void EmbeddedRedis::start() {
  const std::lock_guard lock(state_->mutex);
  if (state_->alive) return;
  state_->alive = true;
  if (state_->snapshot) state_->store->load(*state_->snapshot);
}

void EmbeddedRedis::pause() {
  const std::lock_guard lock(state_->mutex);
  state_->paused = state_->alive;
}

void EmbeddedRedis::resume() {
  const std::lock_guard lock(state_->mutex);
  state_->paused = false;
  for (const auto& command : std::exchange(state_->late, {}))
    (void)state_->store->execute(views(command));
  state_->changed.notify_all();
}

void EmbeddedRedis::save() {
  const std::lock_guard lock(state_->mutex);
  if (state_->alive) state_->snapshot = state_->store->entries();
}

}  // namespace lab::infra
