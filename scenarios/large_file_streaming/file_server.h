#pragma once
// The subject: a server that hands out the files of one folder over HTTP and takes new ones, as a process of its own.
// What differs between variants is one of three steps: how the bytes of an open file reach the peer (Download), how the
// bytes of a body become a file (Upload), and how a path becomes an open file (Root). Parsing, ranges, conditions and
// connections are the same for all.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "file_io.h"

namespace large_file_streaming {

/// `length` bytes from `offset`.
struct Slice {
  std::uint64_t offset = 0, length = 0;
  void advance(std::uint64_t done) { offset += done, length -= done; }
};

/// Who asked. For one thread.
class Peer {
 public:
  virtual ~Peer() = default;
  /// Returns when the kernel has taken all of it, so who writes waits for who reads. Errors: closed (the peer went, or took
  /// nothing for the server's stall limit; unknown).
  virtual Result<void> write(std::span<const char> bytes) = 0;
  /// For a call that needs the descriptor itself. It does not block; after EAGAIN, wait_for_room() and try again.
  virtual int socket() const = 0;
  /// Errors: as write().
  virtual Result<void> wait_for_room() = 0;
};

/// How the bytes of an open file reach the peer.
class Download {
 public:
  virtual ~Download() = default;
  /// Sends exactly the slice, or fails: then the connection is aborted, because the header has promised its length.
  /// Errors: those of Peer::write · conflict (the file has become shorter; no). Called by many threads at once.
  virtual Result<void> send(int file, Slice slice, Peer& peer) = 0;
  /// Sends the slice as one gzip stream (RFC 1952). Only for those that can.
  virtual Result<void> send_gzip(int, Slice, Peer&) { return cannot_gzip(); }
  virtual bool can_gzip() const { return false; }

 private:
  static lab::Error cannot_gzip() {
    return {lab::ErrorCode::internal, lab::Happened::no, "this download sends files as they are"};
  }
};

/// Where uploads end up: the steps that the kernel offers. Thread-safe; files are named without a slash.
class Folder {
 public:
  virtual ~Folder() = default;
  virtual Result<File> create_temporary(std::string& name) = 0;  // hidden from downloads
  virtual Result<File> truncate(const std::string& name) = 0;    // made when there is none
  virtual Result<void> write(const File& file, std::span<const char> bytes) = 0;
  virtual Result<void> sync(const File& file) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Result<void> sync_names() = 0;  // what was renamed stays so after a power cut
  virtual void remove(const std::string& name) = 0;
};

/// One body on its way to become the file `name`. For one thread.
class Upload {
 public:
  virtual ~Upload() = default;  // without commit() the file is what it was before
  virtual Result<void> take(std::span<const char> bytes) = 0;
  /// All of it has come. Whoever looks, at any time, also after a crash, sees the whole old file or the whole new one.
  virtual Result<void> commit() = 0;
};

/// How a path becomes an open file. Thread-safe.
class Root {
 public:
  virtual ~Root() = default;
  /// `path` is what stood in the target, decoded once, without its leading slash. Only regular files inside the root.
  /// Errors: not_found (no).
  virtual Result<File> open(const std::string& path) const = 0;
};

}  // namespace large_file_streaming
