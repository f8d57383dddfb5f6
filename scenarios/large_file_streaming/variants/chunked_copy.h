#pragma once
// chunked_copy: one buffer, filled and sent again and again. write() returns when the kernel has taken the bytes, so the
// next chunk is read when there is room for it: a slow reader slows this loop and fills no memory.

#include <vector>

#include "file_server.h"

namespace large_file_streaming {

class ChunkedCopy : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    std::vector<char> buffer(std::min<std::uint64_t>(kChunk, slice.length));
    while (slice.length > 0) {
      const auto room = std::span(buffer).first(std::min<std::uint64_t>(kChunk, slice.length));
      const auto got = read_at(file, room, slice.offset);  // an end before its time is an error
      if (!got) return got.error();
      if (auto sent = peer.write(room.first(*got)); !sent) return sent;
      slice.advance(*got);
    }
    return {};
  }

  static constexpr std::size_t kChunk = 256 * 1024;
};

}  // namespace large_file_streaming
