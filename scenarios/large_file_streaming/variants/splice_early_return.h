#pragma once
// splice_early_return: as sendfile, but the pages go through a pipe, which takes them from anywhere to anywhere. The pipe is
// two descriptors more, held as plain numbers and closed at the end of the function, and the function has returns before
// that: each transfer that is broken off leaves two descriptors behind, and nobody notices until there are none left.
// Compare File (../file_io.h), which closes what it holds on every way out.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "file_server.h"

namespace large_file_streaming {

class SpliceEarlyReturn : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) return failed("cannot make a pipe");
    while (slice.length > 0) {
      auto at = static_cast<loff_t>(slice.offset);
      const std::size_t count = std::min<std::uint64_t>(slice.length, kAtOnce);
      ssize_t held = ::splice(file, &at, pipe[1], nullptr, count, SPLICE_F_MOVE);
      if (held <= 0) return shrunk();
      slice.advance(static_cast<std::uint64_t>(held));
      while (held > 0) {
        const auto left = static_cast<std::size_t>(held);
        const ssize_t sent = ::splice(pipe[0], nullptr, peer.socket(), nullptr, left, kMore);
        if (sent > 0) {
          held -= sent;
        } else if (errno != EAGAIN) {
          return peer_gone();  // and the pipe?
        } else if (auto room = peer.wait_for_room(); !room) {
          return room;
        }
      }
    }
    ::close(pipe[0]);
    ::close(pipe[1]);
    return {};
  }

 private:
  static constexpr std::size_t kAtOnce = 64 * 1024;  // what a pipe holds
  static constexpr unsigned kMore = SPLICE_F_MOVE | SPLICE_F_MORE | SPLICE_F_NONBLOCK;
};

}  // namespace large_file_streaming
