#pragma once
// What is asked of every variant: which files of which sizes, which ranges, which paths, who stalls, goes, dies.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "file_server.h"
#include "harness/scenario.h"

namespace large_file_streaming {

inline constexpr const char* kRough = "rough-world";
inline constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kBuffer = 256 * kKiB;  // what the variants send at once

/// How much happens. Quick: smaller, and load_in_words() says so.
struct Sizes {
  std::uint64_t small = kMiB, medium = 64 * kMiB, large = 4 * kGiB;
  std::uint64_t gzip = 288 * kMiB;  // of the largest file that is sent compressed
  // A timed round: the small file so often, the one between, and a part of the large one, another one in each round.
  std::size_t small_downloads = 50;
  std::uint64_t part = 256 * kMiB;
  std::uint64_t uploaded = 32 * kMiB;
  std::size_t ranges = 1'000;
  std::size_t aborts = 1'000;                                 // of downloads
  std::size_t aborted_uploads() const { return aborts / 4; }  // each makes a file, and removes it
  std::size_t kills = 40;  // of the server, while it takes an upload
  std::size_t stalled = 4;
  std::uint64_t shrinking = 24 * kMiB;  // more than sockets hold; of bytes that do not compress
};
Sizes choose_sizes(const lab::harness::Flags& flags);

/// The container of the question.
inline constexpr std::uint64_t kMemoryLimit = 256 * kMiB;
/// By how much the peak at the large file may exceed that at the small one: noise of the allocator and of page tables.
inline constexpr std::uint64_t kFlat = 2 * kMiB;
inline constexpr Nanos kFreedWithin = std::chrono::seconds(1);
/// How long that is watched: more than the bound, for the bound grows by what the machine was late.
inline constexpr Nanos kFreedWatched = std::chrono::milliseconds(1'500);

/// Bytes that tell where they belong: each word is made from the version and its place. They do not compress.
void fill(std::span<char> bytes, std::uint64_t version, std::uint64_t offset);
std::string content(std::uint64_t version, std::uint64_t length);

/// Sizes at which loops go wrong.
std::vector<std::uint64_t> awkward_sizes();

/// A range that is asked for, and what the RFC says to it.
struct RangeQuestion {
  std::string value;  // of the header Range
  int status = 206;   // 200: the range is to be passed over
  Slice slice;        // of the body; none for 416
};
/// The corners, then `count` random ones from the seed.
std::vector<RangeQuestion> range_questions(std::uint64_t size, std::size_t count,
                                           std::uint64_t seed);

/// A path that is asked for. Most lead out of the root, or would if somebody decoded once too often or followed a link.
struct PathQuestion {
  std::string target;
  bool inside = false;  // it names a file that is to be given out
};
/// `root` is the folder's own path: some paths name it.
std::vector<PathQuestion> path_questions(const std::filesystem::path& root);

inline constexpr const char* kInsideText = "inside\n";
/// Lays out what path_questions() asks for: `root` with links, a FIFO and plain files, and around it files that hold the
/// canary. Throws Failure when the disk does not take it.
void lay_out_traps(const std::filesystem::path& root, const std::string& canary);

/// A file of holes with islands of content() in it, so that bytes at a wrong place are noticed and none of the disk is
/// used. Throws Failure.
void make_sparse(const std::filesystem::path& path, std::uint64_t version, std::uint64_t size);
/// Throws Failure.
void make_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace large_file_streaming
