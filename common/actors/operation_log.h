#pragma once
// What a client process did, kept where its death cannot reach: an append-only file per client. An operation's beginning
// is written before the call is made and its end after the answer has come, each with one write(), so an operation whose
// process was killed stands in the file without an answer: it may have happened (Outcome::info).
//
// Times are CLOCK_MONOTONIC's, the same for all processes of a machine, so the order between clients is exact. The file
// survives kill -9 of its writer, not power loss.

#include <filesystem>
#include <vector>

#include "core/clock.h"
#include "harness/history.h"

namespace lab::actors {

/// For one thread, with one operation under way at a time. A client that was killed and starts again goes on in the same
/// file.
class OperationLog {
 public:
  /// Makes the file where there is none. Throws Failure, as the calls do when the disk is full: a run whose history is
  /// not kept proves nothing.
  explicit OperationLog(const std::filesystem::path& file);
  ~OperationLog();
  OperationLog(const OperationLog&) = delete;
  OperationLog& operator=(const OperationLog&) = delete;

  /// The call begins now: kind, key, value, aux and client count.
  void invoked(const harness::Operation& operation);
  /// Its answer has come: value, aux and outcome count, and replace what was written before.
  void returned(const harness::Operation& operation);

 private:
  int file_ = -1;
};

/// The operations in the file, oldest first, with times counted from `zero`. One without an answer is `info` and returned
/// at `end`: nobody knows of a later moment. A file that is not there holds none: its client died before it began.
/// A torn tail is passed over. Throws Failure when the file cannot be read or is none of ours.
std::vector<harness::Operation> read_operations(const std::filesystem::path& file, Instant zero,
                                                Nanos end);

}  // namespace lab::actors
