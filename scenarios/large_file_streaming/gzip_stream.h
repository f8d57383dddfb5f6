#pragma once
// A gzip stream (RFC 1952) made of blocks that know nothing of each other, so that many threads can make them: each block is
// deflated on its own and ends on a byte (Z_SYNC_FLUSH), and the checksums are combined. That is how pigz works (Adler).
// One member, because browsers and curl read no second one.

#include <cstdint>
#include <span>
#include <vector>

namespace large_file_streaming {

std::span<const char> gzip_header();

/// The bytes deflated, to be put behind other such blocks.
std::vector<char> deflate_block(std::span<const char> bytes);

std::uint32_t crc_of(std::span<const char> bytes);

/// What the trailer says of the whole, added up block by block in order.
class GzipSum {
 public:
  struct Part {
    std::uint32_t crc = 0;
    std::uint64_t length = 0;
  };
  void add(const Part& part);
  /// The empty last block, the checksum and the length.
  std::vector<char> trailer() const;

 private:
  std::uint32_t crc_ = 0;
  std::uint64_t length_ = 0;
};

}  // namespace large_file_streaming
