#pragma once
// What a trial saw of a variant's server, and the invariants over it. The bounds are derived in the README.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/statistics.h"
#include "workload.h"

namespace blocking_vs_async_io {

/// A body sent to /echo, and what came back.
struct EchoSeen {
  std::string how;  // "a byte at a time"
  std::size_t bytes = 0;
  std::string problem;  // empty: the same came back
};

/// Other clients, while somebody is always in a slow call.
struct BesideSlowCalls {
  Nanos call = kSlowCall;
  std::uint64_t calls = 0;  // that were answered
  // Of the others:
  std::uint64_t answered = 0, failed = 0, unanswered = 0;
  Nanos p50{}, p99{};  // one that is still unanswered counts with what it has waited
  Nanos hiccup{};      // the machine's own, meanwhile
};

/// Requests answered in windows of equal length, taken in turn.
struct BesideSlowPeers {
  std::size_t pool = kPool, peers = 0;
  std::vector<double> alone, beset;  // per second; beset: with 10 P slow peers
  /// For which share of each beset window the server's threads or the clients' had no core, at most.
  std::vector<double> without_core;
  std::uint64_t answered_at_pool = 0;  // in one window with P slow peers
  std::size_t peers_closed = 0;        // by the server: a slow peer that is gone proves nothing
};

/// A machine may make each turn of a server's loop as late as it was at worst. What a good server does by itself takes no more
/// than five: it sees that others have gone, its pause after a failed accept is over, it accepts, reads, answers. Twice that.
inline constexpr int kTurns = 10;

/// More connections than descriptors.
struct Exhaustion {
  std::uint64_t limit = kFewDescriptors;
  std::size_t connections = 0, open_descriptors = 0;  // the latter of one process, then
  bool alive = false;                                 // the process then, and each of its children
  /// A client that was connected before they came, and asked when no descriptor was left: again and again, until an answer was
  /// missing.
  struct {
    std::uint64_t answered = 0;
    std::string problem;  // with the last answer; empty: none
    Nanos unanswered{};   // how long it waited in vain for the last
    Nanos hiccup{};       // the machine's own, meanwhile
  } connected_before{};
  std::optional<Nanos> served;  // how long after they had gone a newcomer had its answer
  Nanos waited{};               // for that
};

/// Peers that ask and never read.
struct StalledReaders {
  std::size_t peers = kStalledPeers, closed = 0;
  std::size_t body_bytes = kStalledBody;
  std::uint64_t bytes_sent = 0;
  bool memory_counts = true;  // not where a sanitizer keeps what was freed
  std::uint64_t resident_before = 0, peak = 0;
  // The longest stall. Each answer that the kernel's buffers still take is progress, and the next has a limit of its own.
  Nanos closed_after{};
  Nanos limit{};  // TimeLimits::send, of one answer
  Nanos hiccup{};
};

struct Descriptors {
  std::size_t before = 0, at_most = 0, after = 0;
  std::size_t connections = 0;  // that came and went
};

struct IdleConnections {
  std::size_t asked = 0, open = 0;  // open: accepted by the server
  std::uint64_t resident_before = 0, resident = 0;
};

struct Evidence {
  std::uint64_t seed = 7;
  std::vector<EchoSeen> echoes;
  std::uint64_t interruptions = 0;  // signals that met the server meanwhile
  BesideSlowCalls slow_calls;
  BesideSlowPeers slow_peers;
  Exhaustion exhaustion;
  StalledReaders stalled;
  Descriptors descriptors;
  IdleConnections idle;
};

/// How many times the throughput with slow peers is that without.
lab::harness::Ratio kept_throughput(const Evidence& evidence);
/// The same, had the machine taken nothing from the windows with slow peers: who is accused is accused in spite of this.
lab::harness::Ratio kept_at_best(const Evidence& evidence);
inline constexpr double kKept = 0.9;

/// What a server may hold for a peer that does not read: its request and the answer, each once in our hands and once in a
/// string that grows by doubling, and a thread's or coroutine's own.
std::uint64_t stalled_bound(const StalledReaders& stalled);
/// How long after the last byte that was taken from it such a peer must have been closed: its limit, the limit of the answer that the
/// kernel's buffers still took, and what it takes to look and to be seen.
Nanos stalled_time_bound(const StalledReaders& stalled);

std::vector<lab::harness::Check<Evidence>> checks();

}  // namespace blocking_vs_async_io
