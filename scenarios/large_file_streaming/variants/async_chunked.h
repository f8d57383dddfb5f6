#pragma once
// async_chunked: the same loop as a coroutine, so that one thread serves all connections. co_await is the backpressure: the
// next chunk is read when the kernel has taken this one, and meanwhile the thread serves the others. Read ahead instead,
// "because async_write returns at once", and each slow reader holds the whole file in memory.
// A file is always "ready" for epoll: a chunk that has to come from the disk stops the thread, and everybody with it.

#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "file_server.h"

namespace large_file_streaming {

class AsyncChunked {
 public:
  boost::asio::awaitable<Result<void>> send(int file, Slice slice,
                                            boost::asio::ip::tcp::socket& socket) {
    std::vector<char> buffer(std::min<std::uint64_t>(kChunk, slice.length));
    while (slice.length > 0) {
      const auto room = std::span(buffer).first(std::min<std::uint64_t>(kChunk, slice.length));
      const auto got = read_at(file, room, slice.offset);
      if (!got) co_return got.error();
      const auto [error, sent] =
          co_await boost::asio::async_write(socket, boost::asio::buffer(room.data(), *got),
                                            boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) co_return peer_gone();
      slice.advance(sent);
    }
    co_return Result<void>();
  }

 private:
  static constexpr std::size_t kChunk = 256 * 1024;
};

}  // namespace large_file_streaming
