#include "gzip_stream.h"

#include <zlib.h>

#include <array>

#include "core/result.h"

namespace large_file_streaming {
namespace {

const Bytef* bytes_of(std::span<const char> bytes) {
  return reinterpret_cast<const Bytef*>(bytes.data());
}

void append_little_endian(std::vector<char>& bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::span<const char> gzip_header() {
  static constexpr std::array<char, 10> kHeader{0x1f, static_cast<char>(0x8b), 8, 0, 0, 0, 0, 0, 4,
                                                3};
  return kHeader;  // deflate, no name, no time, fastest, Unix
}

std::vector<char> deflate_block(std::span<const char> bytes) {
  z_stream stream{};
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw lab::Failure("zlib has no memory to deflate with");
  std::vector<char> out(::deflateBound(&stream, bytes.size()) + 16);
  stream.next_in = const_cast<Bytef*>(bytes_of(bytes));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int done = ::deflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (done != Z_OK || stream.avail_in != 0) throw lab::Failure("zlib did not deflate a block");
  return out;
}

std::uint32_t crc_of(std::span<const char> bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, bytes_of(bytes), bytes.size()));
}

void GzipSum::add(const Part& part) {
  crc_ = static_cast<std::uint32_t>(
      ::crc32_combine(crc_, part.crc, static_cast<z_off_t>(part.length)));
  length_ += part.length;
}

std::vector<char> GzipSum::trailer() const {
  std::vector<char> bytes{3, 0};  // a last block with nothing in it
  append_little_endian(bytes, crc_);
  append_little_endian(bytes, static_cast<std::uint32_t>(length_));
  return bytes;
}

}  // namespace large_file_streaming
