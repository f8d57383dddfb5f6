#pragma once
// A connection to Redis on a node's event loop, so that nothing in the node waits for Redis: commands go out together at
// the end of a turn, answers come back in order. It connects, and connects again, by itself.

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat_node.h"
#include "infra/redis_client.h"
#include "infra/redis_replies.h"
#include "net/event_loop.h"

namespace pubsub_fanout {

/// For the loop's thread.
class RedisLink : lab::net::EventLoop::Watcher {
 public:
  using Reply = lab::infra::RedisReply;
  using Answer = std::function<void(const lab::Result<Reply>&)>;
  static constexpr lab::Nanos kTryAgain = std::chrono::milliseconds(10);
  static constexpr lab::Nanos kAnswerLimit =
      std::chrono::milliseconds(250);  // from connecting to the first answer
  /// An answer is owed and nothing comes at all for so long: the link is given up, as if it had broken.
  static constexpr lab::Nanos kSilence = std::chrono::seconds(1);

  /// `on_up` each time that it has connected and Redis answers. With `on_push`, everything that comes goes there (SUBSCRIBE),
  /// except the answers to pings, by which it knows that somebody is there.
  RedisLink(lab::net::EventLoop& loop, lab::infra::RedisAddress address,
            std::function<void()> on_up = {}, std::function<void(const Reply&)> on_push = {});
  ~RedisLink() override;
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  bool up() const { return up_; }

  /// The answer is called once, never from in here. Errors: refused (the link is down; no) · closed (it broke, or was given
  /// up, while the command was under way; unknown) · invalid (Redis says so; no).
  void send(const std::vector<std::string_view>& words, Answer answer = {});

  /// The same for what members say, of which there may be any amount: refused, too, while Redis has not taken what came before
  /// and more than kMostUnsent waits. That answer comes in its turn, behind those to what was sent before.
  void say(const std::vector<std::string_view>& words, Answer answer);

 private:
  void connect();
  void introduce();
  void on_reply(const lab::Result<Reply>& reply);
  void on_events(std::uint32_t events) override;
  void on_connected();
  void on_readable();
  void flush();
  void down();
  void look_after();
  bool silent() const;
  void update_interest();

  lab::net::EventLoop& loop_;
  const lab::infra::RedisAddress address_;
  const std::function<void()> on_up_;
  const std::function<void(const Reply&)> on_push_;
  int socket_ = -1;
  bool connected_ = false, up_ = false, flushing_ = false;
  int introductions_ = 0;  // answers still to come before it is up
  std::uint32_t interest_ = 0;
  std::string unsent_;
  std::optional<lab::infra::RedisReplies> replies_;  // of this connection
  struct Owed {
    Answer answer;
    bool refused = false;  // it was never sent; the answer waits for its turn
  };
  void answer_first(const lab::Result<Reply>& reply);
  std::deque<Owed> answers_;   // the first was sent
  lab::Instant owed_since_{};  // no answer was owed before
  lab::Instant last_word_{};   // when Redis last said anything
  std::vector<char> buffer_;
  lab::net::EventLoop::TimerId retry_{}, limit_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The texts of a list; nothing when it could not be had.
inline std::optional<std::vector<std::string>> texts_of(const lab::Result<RedisLink::Reply>& list) {
  if (!list) return std::nullopt;
  std::vector<std::string> texts;
  for (const auto& item : list->items) texts.push_back(item.text);
  return texts;
}

/// What an answer to "say this" means.
inline Said said_of(const lab::Result<RedisLink::Reply>& done) {
  if (done) return Said::ok;
  return done.error().happened == lab::Happened::no ? Said::no : Said::maybe;
}

}  // namespace pubsub_fanout
