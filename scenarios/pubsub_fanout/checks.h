#pragma once
// What the clients of a fault run saw, what the kernel said of its nodes, and the invariants over that.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chat_node.h"
#include "harness/check.h"
#include "harness/history.h"

namespace pubsub_fanout {

/// Something said, as its speaker saw it. `fail`: it was refused; `info`: nobody answered, it may be heard.
struct Saying {
  std::uint32_t room = 0, speaker = 0, number = 0;
  Nanos said{}, answered{};
  lab::harness::Outcome outcome = lab::harness::Outcome::info;
  Position place = 0;  // of what was acknowledged; 0: places are not numbered
};

/// What a reader went through, in this order.
struct Heard {
  enum class Kind : std::uint8_t {
    joined,   // place: from which on it hears everything
    message,  // room, speaker, number; place, or 0
    gap,      // place to last, or 0 and 0: it was told that it missed these
    lost,     // its connection ended, or was given up
    left,     // the run is over, and everything has been heard
  };
  Kind kind = Kind::message;
  std::uint32_t room = 0, speaker = 0, number = 0;
  Position place = 0, last = 0;
  bool silent = false;  // lost: it was given up, because nothing had come for the silence limit
  Nanos at{};
};

struct Reader {
  std::string user;
  std::uint32_t room = 0;
  bool stalls = false;     // stops reading for a time
  bool goes_away = false;  // does not come back once its connection is lost
  std::vector<Heard> heard;
};

/// What a node cost, by the kernel.
struct NodeMemory {
  std::string node;
  std::uint64_t before_bytes = 0,
                peak_bytes =
                    0;  // resident: everybody has joined and nothing is said · at most since
  std::size_t connections = 0;
  std::uint64_t owed_bytes = 0;  // to readers there that did not read
};

/// How long threads had been ready to run and had no core, all told, when the kernel was asked.
struct CoreWait {
  Nanos at{}, in_all{};
};

/// Who is in the room, asked of a node until it was right or time was up, and that answer. No answer: nobody was told.
struct Presence {
  std::string node;
  std::uint32_t room = 0;
  std::vector<std::string> there, told;  // sorted
  Nanos asked{};
};

/// Times are counted from the run's zero.
struct Evidence {
  std::vector<Saying> sayings;
  std::vector<Reader> readers;
  std::vector<NodeMemory> memory;
  std::vector<Presence> presence;
  std::vector<lab::harness::Window> faults;  // a node, Redis or their connection was away or cut
  lab::harness::Window stall;                // the stalled readers did not read
  Nanos end = Nanos::max();                  // of the run
  bool quiet = false;                        // everything that is to be heard had the time to be
  Nanos quiet_since{};                       // then all had been said and heard, or given up
  Nanos lease{};                             // of a node's members, for as long as it says so
  std::size_t nodes = 1;
  std::size_t most_message_bytes = 0;
  Nanos silence{}, join_limit{}, try_again{};  // how the clients behave
  Nanos hiccup{};                              // by how much the machine was late at worst
  // Of those that everything passes: the clients' thread, the nodes, Redis.
  std::vector<CoreWait> core_waits;
  bool cuts = true;                  // connections were cut: somebody must have lost one
  bool kernel_numbers_count = true;  // not in a build whose memory and speed are a sanitizer's
};

const std::vector<lab::harness::Check<Evidence>>& checks();

/// What a run adds up to.
struct Counts {
  std::uint64_t deliveries = 0, gaps_silent = 0, gaps_told = 0, duplicates = 0, reorderings = 0;
  std::uint64_t cuts_felt = 0;  // connections of readers that were lost and came back
};
Counts count(const Evidence& evidence);

/// How long those threads waited for a core in that time, at most: it is known only for when the kernel was asked.
Nanos waited_for_core(const Evidence& evidence, Nanos from, Nanos to);
/// The longest that a client may take to come back after its connection was lost.
Nanos return_bound(const Evidence& evidence, Nanos lost, Nanos joined);
/// How long after all was quiet a node that is asked then may be wrong about who is there.
Nanos presence_bound(const Evidence& evidence, Nanos asked);
/// What a node with so many connections may hold for them.
std::uint64_t memory_bound(const Evidence& evidence, const NodeMemory& node);

}  // namespace pubsub_fanout
