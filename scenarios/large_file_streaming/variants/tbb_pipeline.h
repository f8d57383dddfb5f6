#pragma once
// tbb_pipeline: read, compress and send at the same time, on different chunks. Reading and sending keep the order, the
// compressing in between runs on as many cores as there are. The tokens bound the memory: no more chunks than that are on
// their way, so a slow reader stops the reading, as in the loop.

#include <tbb/parallel_pipeline.h>

#include <atomic>
#include <vector>

#include "file_server.h"
#include "gzip_stream.h"

namespace large_file_streaming {

class TbbPipeline : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    return run(file, slice, peer, [](Chunk chunk) { return chunk; });
  }

  bool can_gzip() const override { return true; }

  Result<void> send_gzip(int file, Slice slice, Peer& peer) override {
    if (auto sent = peer.write(gzip_header()); !sent) return sent;
    GzipSum sum;  // by the last stage alone, which keeps the order
    const auto deflate = [](Chunk chunk) {
      chunk.part = {.crc = crc_of(chunk.bytes), .length = chunk.bytes.size()};
      chunk.bytes = deflate_block(chunk.bytes);
      return chunk;
    };
    auto sent = run(file, slice, peer, deflate, &sum);
    return sent ? peer.write(sum.trailer()) : sent;
  }

 private:
  struct Chunk {
    std::vector<char> bytes;
    GzipSum::Part part;
  };

  template <class Work>
  static Result<void> run(int file, Slice slice, Peer& peer, Work work, GzipSum* sum = nullptr) {
    Result<void> read, sent;  // each is its stage's own
    std::atomic<bool> gone{false};
    const auto next = [&](tbb::flow_control& control) {
      Chunk chunk;
      if (slice.length == 0 || gone) return control.stop(), chunk;
      chunk.bytes.resize(std::min<std::uint64_t>(kChunk, slice.length));
      const auto got = read_at(file, chunk.bytes, slice.offset);
      if (!got) return read = got.error(), control.stop(), chunk;
      chunk.bytes.resize(*got);
      return slice.advance(*got), chunk;
    };
    const auto send_on = [&](const Chunk& chunk) {
      if (sent) sent = peer.write(chunk.bytes);
      if (!sent) gone = true;
      if (sum) sum->add(chunk.part);
    };
    tbb::parallel_pipeline(
        kTokens, tbb::make_filter<void, Chunk>(tbb::filter_mode::serial_in_order, next) &
                     tbb::make_filter<Chunk, Chunk>(tbb::filter_mode::parallel, work) &
                     tbb::make_filter<Chunk, void>(tbb::filter_mode::serial_in_order, send_on));
    return sent ? read : sent;
  }

  static constexpr std::size_t kChunk = 256 * 1024;
  static constexpr std::size_t kTokens = 4;
};

}  // namespace large_file_streaming
