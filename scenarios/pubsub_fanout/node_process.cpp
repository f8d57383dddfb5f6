#include "node_process.h"

#include <map>

#include <nlohmann/json.hpp>

#include "net/server_process.h"
#include "wire.h"

namespace pubsub_fanout {
namespace {

using lab::net::EventLoop;
using lab::net::Message;
using lab::net::Opcode;
using lab::net::WebSocketPeer;

// What the kernel keeps for one connection on top of kMostWaiting. Its own choice grows to megabytes for a reader that is
// slow, and what is in there is late.
constexpr int kSendBuffer = 128 * 1024;

/// A member while its connection lasts.
class Connected : public Member {
 public:
  explicit Connected(WebSocketPeer& peer) : peer_(&peer) {}
  void write(std::string_view frames) override {
    if (peer_) peer_->write(frames);
  }
  void queue(SharedFrames frames) override {
    if (peer_) peer_->queue(std::move(frames));
  }
  void write_blocking(std::string_view frames) override {
    if (peer_) peer_->write_blocking(frames);
  }
  std::size_t waiting_bytes() const override { return peer_ ? peer_->waiting_bytes() : 0; }
  void send_away(std::string_view why) override {
    if (peer_) peer_->close(lab::net::close_code::try_again_later, why);
  }
  void gone() { peer_ = nullptr; }

 private:
  WebSocketPeer* peer_;
};

/// Between the connections and the node.
class Door : public lab::net::WebSocketHandler {
 public:
  explicit Door(ChatNode& node) : node_(node) {}

  int on_request(std::string_view target) override {
    return target == kEcho || wire::parse_target(target) ? 101 : 404;
  }

  void on_open(WebSocketPeer& peer) override {
    const auto address = wire::parse_target(peer.target());
    if (!address) return;  // the echo
    auto member = std::make_shared<Connected>(peer);
    member->room = address->room;
    member->user = address->user;
    member->after = address->after;
    member->mute = address->mute;
    members_[&peer] = member;
    node_.join(member);
  }

  void on_message(WebSocketPeer& peer, const Message& message) override {
    const auto found = members_.find(&peer);
    if (found == members_.end()) {
      peer.queue(wire::share(lab::net::to_frame(message.opcode, message.payload)));
    } else if (message.opcode != Opcode::text) {
      // Sent on as text it might be none, and all who hear it would have to go.
      peer.close(lab::net::close_code::unsupported_data, "text only");
    } else if (message.payload == "/who") {
      node_.who(found->second);
    } else {
      node_.say(found->second, message.payload);
    }
  }

  void on_drained(WebSocketPeer& peer) override {
    const auto found = members_.find(&peer);
    if (found != members_.end()) node_.drained(found->second);
  }

  void on_close(WebSocketPeer& peer, std::uint16_t) override {
    const auto found = members_.find(&peer);
    if (found == members_.end()) return;
    const auto member = found->second;
    members_.erase(found);
    member->gone();
    node_.leave(member);
  }

 private:
  static constexpr std::string_view kEcho = "/ws-echo";
  ChatNode& node_;
  std::map<WebSocketPeer*, std::shared_ptr<Connected>> members_;
};

class StopWatcher : public EventLoop::Watcher {
 public:
  explicit StopWatcher(EventLoop& loop) : loop_(loop) {
    loop.watch(lab::net::stop_descriptor(), EPOLLIN, *this);
  }
  ~StopWatcher() override { loop_.forget(lab::net::stop_descriptor(), *this); }
  void on_events(std::uint32_t) override { loop_.stop(); }

 private:
  EventLoop& loop_;
};

}  // namespace

std::string to_json(const NodeOrders& orders) {
  return nlohmann::json{{"variant", orders.variant},
                        {"name", orders.name},
                        {"port", orders.port},
                        {"redis_socket", orders.redis.unix_socket},
                        {"redis_host", orders.redis.host},
                        {"redis_port", orders.redis.port},
                        {"redis_user", orders.redis.user},
                        {"redis_password", orders.redis.password},
                        {"redis_database", orders.redis.database}}
      .dump();
}

NodeOrders from_json(const std::string& text) {
  const auto from = nlohmann::json::parse(text);
  NodeOrders orders;
  orders.variant = from.at("variant");
  orders.name = from.at("name");
  orders.port = from.at("port");
  orders.redis.unix_socket = from.at("redis_socket");
  orders.redis.host = from.at("redis_host");
  orders.redis.port = from.at("redis_port");
  orders.redis.user = from.at("redis_user");
  orders.redis.password = from.at("redis_password");
  orders.redis.database = from.at("redis_database");
  return orders;
}

int serve_node(const std::vector<Recipe>& recipes, const std::string& text) {
  const NodeOrders orders = from_json(text);
  for (const auto& recipe : recipes) {
    if (recipe.variant != orders.variant) continue;
    EventLoop loop;
    const auto node = recipe.make({loop, orders.name, orders.redis});
    Door door(*node);
    lab::net::WebSocketServer server(loop, door, {.send_buffer = kSendBuffer}, orders.port);
    const StopWatcher stops(loop);
    lab::net::tell_port(server.port());
    loop.run();
    return 0;
  }
  throw lab::Failure("no recipe for variant " + orders.variant);
}

}  // namespace pubsub_fanout
