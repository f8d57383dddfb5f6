#pragma once
// What a fault run leaves behind, and the invariants over it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/actor.h"
#include "client.h"
#include "harness/check.h"
#include "variant_server.h"
#include "workload.h"

namespace large_file_streaming {

/// A whole file, one way or the other.
struct Transfer {
  std::uint64_t size = 0;
  bool gzip = false;
  /// Bytes, from the first on, that were the file's; uploads: that are in it.
  std::uint64_t same = 0;
  bool right = true;  // and there were no others
  bool coded_as_asked = true;
  Ending ending = Ending::complete;
  int status = 200;
  Nanos waited{};  // for a core, by its client
};

struct RangeAnswer {
  RangeQuestion question;
  int status = 0;
  std::string content_range;  // the header
  std::uint64_t bytes = 0;
  bool bytes_right = false;
  Ending ending = Ending::complete;
  Nanos waited{};  // for a core, by its client
};

/// A conditional request, a HEAD, an If-Range: what was asked in words, and whether status and body were right.
struct ConditionAnswer {
  std::string asked;
  int wanted = 0, status = 0;
  bool body_right = false;
  Ending ending = Ending::complete;
  Nanos waited{};  // for a core, by its client
};

/// The kernel's numbers of the server after it has sent (or taken) a file of that size.
struct MemorySample {
  std::uint64_t size = 0;
  std::uint64_t peak_bytes = 0;  // VmHWM
  /// The highest that were seen while it was under way: memory of its own, and pages of the cache that it has mapped.
  std::uint64_t anonymous_bytes = 0, mapped_bytes = 0;
  bool done = false;  // the transfer was whole
};

struct PathAnswer {
  PathQuestion question;
  int status = 0;       // 0: the connection was closed without an answer
  bool canary = false;  // the body held what lies outside
  bool inside = false;  // the body was kInsideText
  bool silent = false;  // the time limit was over, and it had neither answered nor closed
};

/// Clients that stopped reading (or sending), or went.
struct Absent {
  std::string how;  // "reads nothing", "is gone"
  std::size_t clients = 0;
  std::size_t seen = 0;  // of these, by descriptors, when they were under way
  std::optional<Nanos>
      freed;  // until descriptors and threads were those of before; nothing: not within the limit
  std::string death;  // how the server ended over it; empty: it lives
};

/// A file that became shorter while it was sent.
struct Truncation {
  bool gzip = false;
  std::uint64_t size = 0, cut_to = 0;
  std::uint64_t before = 0;  // bytes that had come when it was cut
  std::uint64_t received = 0;
  bool bytes_right = false;  // as far as they came, they were the file's
  Ending ending = Ending::complete;
  std::optional<lab::actors::Ending> server;  // it died of it
};

struct Aborts {
  std::size_t count = 0;
  std::string death;  // how the server ended over it; empty: it lives
  std::size_t descriptors_before = 0, descriptors_after = 0;
  std::size_t threads_before = 0, threads_after = 0;
  std::size_t left_behind = 0;  // unfinished uploads in the folder
};

/// A server killed while it took a new version of a file.
struct Kill {
  std::string point;  // empty: at a random moment, from outside
  bool died = false;  // as planned; else the upload was over first
  bool acknowledged = false;
  enum class Found { old_version, new_version, neither } found = Found::neither;
  std::uint64_t size = 0;       // of what was found
  std::size_t left_behind = 0;  // unfinished uploads, after the next start
};

struct Evidence {
  Step step = Step::download;
  bool rough = true;                         // the fault was in force
  std::optional<std::uint64_t> limit_bytes;  // RLIMIT_AS of the server; none: memory is not judged
  std::vector<Transfer> transfers;           // of awkward sizes
  std::vector<Transfer> large;               // under the limit
  std::vector<MemorySample> memory;          // by size; the first is the base
  std::vector<RangeAnswer> ranges;
  std::uint64_t range_size = 0;  // of the file that they are of
  std::vector<ConditionAnswer> conditions;
  std::vector<PathAnswer> paths;
  std::vector<Absent> absent;
  std::optional<Transfer> slow_reader;
  std::vector<Truncation> truncations;
  std::optional<Aborts> aborts;
  std::vector<Kill> kills;
  std::optional<lab::actors::Ending> died_under_limit;
  Nanos stall{};   // after which the server gives up somebody who takes nothing
  Nanos hiccup{};  // by how much the machine was late at worst
};

const std::vector<lab::harness::Check<Evidence>>& checks();

/// Peak at the largest file less peak at the first; nothing with fewer than two samples.
std::optional<std::int64_t> growth(const Evidence& evidence);

}  // namespace large_file_streaming
