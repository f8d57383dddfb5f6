#pragma once
// Files that are either whole or not there.

#include <filesystem>
#include <string_view>

#include "core/result.h"

namespace lab::harness {

/// Writes all bytes, however many calls it takes. False with errno set when it cannot.
bool write_all(int descriptor, std::string_view bytes);

/// Writes the file beside its place, then renames it: whoever looks sees the old one or the new
/// one. On an error (it names the path; `exhausted` when the disk is full) the old one stays.
Result<void> replace_file(const std::filesystem::path& path, std::string_view content);

/// "cannot write results/x.json: No space left on device"
Error file_error(std::string_view what, const std::filesystem::path& path, int error);

}  // namespace lab::harness
