#pragma once
// mmap_write: no read() at all; the file is memory, a window at a time. But memory cannot say "I am no longer there": when
// somebody truncates the file, its pages are gone, and whoever touches them is killed (SIGBUS), with all other connections.
// send() straight from the window would get an error (EFAULT), because there the kernel does the touching. Everything that
// looks at the bytes is killed: TLS, compression, a checksum, or, here, the copy into the connection's own buffer.

#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "file_server.h"

namespace large_file_streaming {

class MmapWrite : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    std::vector<char> buffer(kWindow);
    while (slice.length > 0) {
      const std::uint64_t begin = slice.offset / kPage * kPage;
      const std::uint64_t skip = slice.offset - begin;
      const std::size_t count = std::min<std::uint64_t>(kWindow - skip, slice.length);
      void* window =
          ::mmap(nullptr, skip + count, PROT_READ, MAP_SHARED, file, static_cast<off_t>(begin));
      if (window == MAP_FAILED) return failed("cannot map a file");
      std::memcpy(buffer.data(), static_cast<const char*>(window) + skip, count);  // may be fatal
      ::munmap(window, skip + count);
      if (auto sent = peer.write(std::span(buffer).first(count)); !sent) return sent;
      slice.advance(count);
    }
    return {};
  }

 private:
  static constexpr std::uint64_t kPage = 64 * 1024;  // a multiple of every page size in use
  static constexpr std::size_t kWindow = 1024 * 1024;
};

}  // namespace large_file_streaming
