#pragma once
// What travels between a client and a node: one WebSocket connection a member, at
//   /rooms/ROOM?user=NAME[&after=POSITION&epoch=EPOCH][&mute=1]
// A text message from the client is said in the room, except "/who". From the node come
//   joined POSITION EPOCH   from here on you hear everything ("-": places are not numbered); also after a "gap - -", when
//                           places have begun anew
//   m POSITION TEXT         somebody said
//   gap FIRST LAST          you have missed these, and will not get them ("- -": some)
//   ok POSITION | no WHY | maybe WHY   what came of what you said, in the order in which you said it
//   who NAME NAME …         who? when nobody can tell
// For measuring, a server need do no more than send every message that it gets to everyone who is connected: what is said
// ends with a stamp (workload.h), and clients look for that at the end of whatever they hear.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat_node.h"

namespace pubsub_fanout::wire {

// Whole frames.
std::string joined(std::optional<Bookmark> at);  // none: places are not numbered
std::string message(Position at, std::string_view text);
std::string gap(Position first, Position last);
std::string said(Said what, std::string_view why = "", Position at = 0);
std::string present(const std::optional<std::vector<std::string>>& users);  // none: nobody knows

inline SharedFrames share(std::string frames) {
  return std::make_shared<const std::string>(std::move(frames));
}

/// To someone who may be gone.
inline void tell(const std::weak_ptr<Member>& to, std::string frames) {
  if (const auto member = to.lock()) member->queue(share(std::move(frames)));
}

/// What came, as the client reads it.
struct Line {
  enum class Kind { joined, message, gap, said, present, nobody_knows, unknown };
  Kind kind = Kind::unknown;
  Position first = 0, last = 0;
  bool numbered = false;  // of joined: places have numbers here, in this epoch
  Epoch epoch = 0;
  Said outcome = Said::maybe;
  std::string_view text;  // the message, or the names with a space between them
};
Line parse(std::string_view payload);

/// The path of the WebSocket, and back.
struct Address {
  std::string room, user;
  std::optional<Bookmark> after;
  bool mute = false;
};
std::string to_target(const Address& address);
std::optional<Address> parse_target(std::string_view target);  // nothing: no room's address

}  // namespace pubsub_fanout::wire
