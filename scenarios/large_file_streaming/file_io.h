#pragma once
// Descriptors and the calls on them, with errors as values.

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "core/clock.h"
#include "core/result.h"

namespace large_file_streaming {

using lab::Nanos;
using lab::Result;

/// An open descriptor, closed with this object.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File();
  int descriptor() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// Fills the buffer from the file's offset, or up to the file's end. How many bytes: at least one.
/// Errors: conflict (the file ends there; no) · internal (no).
Result<std::size_t> read_at(int file, std::span<char> buffer, std::uint64_t offset);

/// No folder, FIFO, device or socket.
bool is_regular(const File& file);

/// Errors: exhausted (the disk is full; unknown) · internal (unknown).
Result<void> write_whole(int file, std::span<const char> bytes);

/// What a call that set errno failed of.
lab::Error failed(std::string_view what, lab::Happened happened = lab::Happened::no);

/// Nothing of that name, or nothing that is given out: which of the two is nobody's business.
lab::Error not_there();

/// The file has become shorter than its header said.
lab::Error shrunk();

/// The peer went, or took nothing for too long.
lab::Error peer_gone();

}  // namespace large_file_streaming
