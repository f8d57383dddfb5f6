#pragma once
// The rooms of one node: who of its members is in which.

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "chat_node.h"

namespace pubsub_fanout {

inline Epoch new_epoch() {
  std::random_device random;
  return Epoch{random()} << 32 | random();
}

struct Room {
  std::vector<MemberPtr> members;      // those who listen
  Epoch epoch = 0;                     // where the variant counts
  Position last = 0;                   // of the message that was handed out last
  bool following = false;              // what is said elsewhere comes here
  std::vector<MemberPtr> at_the_door;  // waiting until it is

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& member : members) names.push_back(member->user);
    return names;
  }
};

class Rooms {
 public:
  Room& operator[](const std::string& name) { return rooms_[name]; }
  Room& of(const MemberPtr& member) { return rooms_[member->room]; }

  void add(const MemberPtr& member) {
    if (!member->mute) of(member).members.push_back(member);
  }
  void remove(const MemberPtr& member) {
    std::erase(of(member).members, member);
    std::erase(of(member).at_the_door, member);
  }

  std::map<std::string, Room>& all() { return rooms_; }

 private:
  std::map<std::string, Room> rooms_;  // a room that is empty stays: it is followed on
};

}  // namespace pubsub_fanout
