#include "fan_out_load.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "core/result.h"
#include "core/stop.h"
#include "net/server_process.h"

namespace pubsub_fanout {

using lab::Instant;
using lab::now;
using lab::net::Message;
using lab::net::Opcode;
using lab::net::WebSocketClient;
using namespace std::chrono_literals;

namespace {

constexpr lab::Nanos kConnectLimit = 30s;
constexpr lab::Nanos kLastLimit = 5s;
constexpr lab::Nanos kKnockLimit = 500ms;
constexpr std::uint32_t kTimedOneIn = 16;
constexpr char kKnock = '%';

}  // namespace

class FanOutLoad::Ear : public WebSocketClient::Listener {
 public:
  Ear(FanOutLoad& load, std::uint32_t number)
      : load_(load),
        timed_(number % kTimedOneIn == 0),
        client_(load.commons_,
                {.host = load.target_.host,
                 .port = load.target_.ports[number % load.target_.ports.size()],
                 .target = load.target_.reader_path(number)},
                *this) {}

  bool open() const { return client_.is_open(); }

 private:
  void on_open(WebSocketClient&) override {}
  void on_message(WebSocketClient&, const Message& message) override {
    const auto& payload = message.payload;
    if (payload.size() < load_.sizes_.bytes) return;
    const char mark = payload[payload.size() - kStampBytes];
    if (mark == kKnock) return on_knock(payload);
    if (mark != kStampMark) return;
    ++load_.heard_;
    if (!timed_ || !load_.counting_) return;
    if (const auto stamp = stamp_of(payload))
      load_.delays_.record(now().time_since_epoch() - lab::Nanos(stamp->said_ns));
  }
  void on_knock(std::string_view payload) {
    std::string text(payload);
    text[text.size() - kStampBytes] = kStampMark;
    const auto stamp = stamp_of(text);
    load_.knock_heard_ += stamp && stamp->number == load_.knocks_;
  }
  void on_closed(WebSocketClient&, std::uint16_t code, std::string_view why) override {
    load_.broken_ = fmt::format("a reader lost its connection: {} {}", code, why);
  }

  FanOutLoad& load_;
  const bool timed_;
  WebSocketClient client_;
};

class FanOutLoad::Mouth : public WebSocketClient::Listener {
 public:
  explicit Mouth(FanOutLoad& load)
      : load_(load),
        client_(load.commons_,
                {.host = load.target_.host,
                 .port = load.target_.ports.front(),
                 .target = load.target_.speaker_path},
                *this) {}

  bool open() const { return client_.is_open(); }
  bool can_say() const { return client_.waiting_bytes() == 0; }
  void say(std::uint64_t number) {
    const Stamp stamp{0, 0, static_cast<std::uint32_t>(number), now().time_since_epoch().count()};
    client_.send(Opcode::text, to_text(stamp, load_.sizes_.bytes));
  }
  void knock(std::uint32_t number) {
    std::string text = to_text({0, 0, number, 0}, load_.sizes_.bytes);
    text[text.size() - kStampBytes] = kKnock;
    client_.send(Opcode::text, text);
  }

 private:
  void on_open(WebSocketClient&) override {}
  void on_message(WebSocketClient&, const Message&) override {}
  void on_closed(WebSocketClient&, std::uint16_t code, std::string_view why) override {
    load_.broken_ = fmt::format("the speaker lost its connection: {} {}", code, why);
  }

  FanOutLoad& load_;
  WebSocketClient client_;
};

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

FanOutLoad::FanOutLoad(FanOutTarget target, FanOut sizes)
    : target_(std::move(target)), sizes_(sizes) {
  constexpr std::size_t kOwn = 64;  // descriptors for all else
  if (const auto most = raise_descriptor_limit(); most < sizes_.subscribers + kOwn)
    throw lab::Failure(
        fmt::format("{} readers need more descriptors than the {} that a process may "
                    "have here (ulimit -Hn)",
                    sizes_.subscribers, most));
  const Instant limit = now() + kConnectLimit;
  const auto wait_for = [&](auto condition) {
    while (!condition() && broken_.empty() && now() < limit && !lab::stop_requested()) turn();
    if (!condition())
      throw lab::Failure(fmt::format("{} readers could not connect: {}", sizes_.subscribers,
                                     broken_.empty() ? "they took too long" : broken_));
  };
  constexpr std::uint32_t kAtOnce = 100;  // a server's queue of those who knock is not endless
  for (std::uint32_t i = 0; i < sizes_.subscribers; ++i) {
    ears_.push_back(std::make_unique<Ear>(*this, i));
    if ((i + 1) % kAtOnce == 0 || i + 1 == sizes_.subscribers)
      wait_for([&] {
        return std::all_of(ears_.begin(), ears_.end(), [](auto& e) { return e->open(); });
      });
  }
  mouth_ = std::make_unique<Mouth>(*this);
  wait_for([&] { return mouth_->open(); });
  settle(limit);
}

/// Who is connected may not be in the room yet. So something is said again and again, in a form that is not counted, until
/// one of these has been heard by all.
void FanOutLoad::settle(Instant limit) {
  const std::uint32_t all = sizes_.subscribers * target_.copies;
  while (knock_heard_ != all) {
    if (!broken_.empty() || now() > limit || lab::stop_requested())
      throw lab::Failure(
          fmt::format("what is said is heard by {} of {} readers {}", knock_heard_, all, broken_));
    knock_heard_ = 0;
    mouth_->knock(++knocks_);
    for (const Instant end = now() + kKnockLimit;
         knock_heard_ != all && now() < end && broken_.empty() && !lab::stop_requested();)
      turn();
  }
}

FanOutLoad::~FanOutLoad() = default;

void FanOutLoad::turn() {
  loop_.turn(1ms);
}

void FanOutLoad::say_more() {
  const std::uint64_t each = std::uint64_t{sizes_.subscribers} * target_.copies;
  while (mouth_->can_say() && said_ - std::min(said_, heard_ / each) < sizes_.window)
    mouth_->say(said_++);
}

std::optional<lab::Nanos> FanOutLoad::cpu() const {
  if (target_.pids.empty()) return std::nullopt;
  lab::Nanos sum{};
  for (const int pid : target_.pids) {
    const auto usage = lab::net::usage_of(pid);
    if (!usage) return std::nullopt;
    sum += usage->cpu;
  }
  return sum;
}

FanOutResult FanOutLoad::measure(lab::Nanos duration) {
  FanOutResult result;
  delays_ = {};
  const auto speak_until = [this](Instant end) {
    while (now() < end && broken_.empty() && !lab::stop_requested()) {
      say_more();
      turn();
    }
  };
  speak_until(now() + duration / 4);
  const std::uint64_t heard_before = heard_;
  const auto cpu_before = cpu();
  const Instant begin = now();
  counting_ = true;
  speak_until(begin + duration);
  result.seconds = lab::seconds(now() - begin);
  result.deliveries = heard_ - heard_before;
  counting_ = false;
  const auto cpu_after = cpu();
  if (cpu_before && cpu_after && result.deliveries > 0)
    result.cpu_ns_per_delivery = static_cast<double>((*cpu_after - *cpu_before).count()) /
                                 static_cast<double>(result.deliveries);
  const std::uint64_t all = said_ * sizes_.subscribers * target_.copies;
  for (const Instant limit = now() + kLastLimit;
       heard_ < all && broken_.empty() && now() < limit && !lab::stop_requested();)
    turn();
  result.delays = delays_;
  result.spoiled = broken_;
  if (result.spoiled.empty() && heard_ != all)
    result.spoiled = fmt::format("{} deliveries of {} were heard", heard_, all);
  said_ = heard_ = 0;
  return result;
}

}  // namespace pubsub_fanout
