#include "presence.h"

#include <chrono>

namespace pubsub_fanout {
namespace {

std::string lease_ms() {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::milliseconds>(LeasedPresence::kLease).count());
}

}  // namespace

LeasedPresence::LeasedPresence(lab::net::EventLoop& loop, RedisLink& redis, Rooms& rooms,
                               std::string node)
    : loop_(loop), redis_(redis), rooms_(rooms), node_(std::move(node)) {
  renewal_ = loop_.after(kRenew, [this] { renew(); });
}

void LeasedPresence::enter(const MemberPtr& member) {
  // With the first member, the set is one of this life: an earlier node of this name may have died with people in it, and
  // what it left is not to be renewed.
  if (rooms_.of(member).members.size() == 1) return write(member->room);
  redis_.send({"SADD", key(member->room, node_), member->user});
  redis_.send({"PEXPIRE", key(member->room, node_), lease_ms()});
}

void LeasedPresence::left(const MemberPtr& member) {
  if (member->mute) return;
  const auto names = rooms_.of(member).names();  // it may have come back on another connection
  if (std::find(names.begin(), names.end(), member->user) == names.end())
    redis_.send({"SREM", key(member->room, node_), member->user});
}

void LeasedPresence::write_all() {
  redis_.send({"SADD", "nodes", node_});
  for (const auto& [name, room] : rooms_.all()) write(name);
}

void LeasedPresence::write(const std::string& room) {
  const std::string set = key(room, node_);
  const auto names = rooms_[room].names();
  std::vector<std::string_view> words{"SADD", set};
  words.insert(words.end(), names.begin(), names.end());
  redis_.send({"DEL", set});
  if (!names.empty()) redis_.send(words);
  redis_.send({"PEXPIRE", set, lease_ms()});
}

void LeasedPresence::renew() {
  renewal_ = loop_.after(kRenew, [this] { renew(); });
  if (!redis_.up()) return;
  for (const auto& [name, room] : rooms_.all()) {
    if (room.members.empty()) continue;
    redis_.send({"PEXPIRE", key(name, node_), lease_ms()}, [this, name = name](const auto& there) {
      if (there && there->integer == 0) write(name);  // the node was away for too long
    });
  }
}

void LeasedPresence::who(const std::string& room, Answer answer) {
  redis_.send({"SMEMBERS", "nodes"}, [this, room, answer](const auto& reply) {
    const auto nodes = texts_of(reply);
    if (!nodes) return answer(std::nullopt);
    std::vector<std::string> keys{"SUNION"};
    for (const auto& node : *nodes) keys.push_back(key(room, node));
    if (keys.size() == 1) return answer(std::vector<std::string>());
    redis_.send({keys.begin(), keys.end()},
                [answer](const auto& names) { answer(texts_of(names)); });
  });
}

}  // namespace pubsub_fanout
