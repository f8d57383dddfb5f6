#pragma once
// sendfile: the bytes never come to this process. The kernel hands pages of its cache to the socket; there is no buffer to
// size and no copy to pay for. A file that has become shorter is a return value of 0. What it cannot do: TLS in user space,
// compression, anything that wants to see the bytes.

#include <sys/sendfile.h>

#include <cerrno>

#include "file_server.h"

namespace large_file_streaming {

class Sendfile : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    while (slice.length > 0) {
      auto at = static_cast<off_t>(slice.offset);
      const std::size_t count = std::min<std::uint64_t>(slice.length, kAtOnce);
      const ssize_t sent = ::sendfile(peer.socket(), file, &at, count);
      if (sent == 0) return shrunk();
      if (sent > 0) {
        slice.advance(static_cast<std::uint64_t>(sent));
      } else if (errno != EAGAIN) {
        return peer_gone();
      } else if (auto room = peer.wait_for_room(); !room) {  // for much at a time, not page by page
        return room;
      }
    }
    return {};
  }

 private:
  static constexpr std::uint64_t kAtOnce = 2 * 1024 * 1024;
};

}  // namespace large_file_streaming
