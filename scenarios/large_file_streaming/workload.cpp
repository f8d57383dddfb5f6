#include "workload.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "core/random.h"

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const fs::path& path) {
  lab::Error error = failed("cannot write " + path.string());
  if (error.code == lab::ErrorCode::exhausted)
    error.message += "; free some space there, or name another place in TMPDIR";
  throw lab::Failure(std::move(error));
}

File create(const fs::path& path) {
  File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) give_up(path);
  return file;
}

std::uint64_t word_at(std::uint64_t version, std::uint64_t index) {
  return lab::mix64((version << 40) ^ index);
}

/// What the RFC's text says, for ranges that are well formed.
RangeQuestion satisfied(std::string value, std::uint64_t first, std::uint64_t last) {
  return {std::move(value), 206, {first, last - first + 1}};
}

std::vector<RangeQuestion> corners(std::uint64_t size) {
  const std::uint64_t end = size - 1;
  const RangeQuestion whole{"", 200, {0, size}};
  std::vector<RangeQuestion> questions{
      satisfied("bytes=0-0", 0, 0),
      satisfied("bytes=0-", 0, end),
      satisfied(fmt::format("bytes={}-{}", end, end), end, end),
      satisfied(fmt::format("bytes={}-", end), end, end),
      satisfied(fmt::format("bytes=0-{}", end), 0, end),
      satisfied(fmt::format("bytes=0-{}", size), 0, end),
      satisfied("bytes=0-18446744073709551615", 0, end),
      satisfied("bytes=1-99999999999999999999999999", 1, end),
      satisfied("bytes=-1", end, end),
      satisfied(fmt::format("bytes=-{}", size), 0, end),
      satisfied(fmt::format("bytes=-{}", size + 1), 0, end),
      satisfied("bytes=-99999999999999999999999999", 0, end),
      satisfied(fmt::format("bytes={}-{}", kBuffer - 1, kBuffer), kBuffer - 1, kBuffer),
      satisfied(fmt::format("bytes=0{}-0{}", kBuffer, kBuffer), kBuffer, kBuffer),
  };
  for (const std::string& beyond :
       {fmt::format("{}-", size), fmt::format("{}-{}", size, size + 7), std::string("-0"),
        std::string("18446744073709551615-"), std::string("99999999999999999999999999-")})
    questions.push_back({"bytes=" + beyond, 416, {}});
  for (const char* passed_over :
       {"bytes=7-3", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-0,2-3", "bytes=1-2,-1", "lines=0-3",
        "bytes 0-3", "bytes=--3", "bytes=+1-3", "bytes=0x0-0x3", "bytes=1-2-3"}) {
    RangeQuestion question = whole;
    question.value = passed_over;
    questions.push_back(std::move(question));
  }
  return questions;
}

}  // namespace

Sizes choose_sizes(const lab::harness::Flags& flags) {
  Sizes sizes;
  if (flags.quick)
    sizes = {.large = 288 * kMiB,
             .gzip = 64 * kMiB,
             .small_downloads = 30,
             .part = 96 * kMiB,
             .ranges = 100,
             .aborts = 200,
             .kills = 10,
             .shrinking = 16 * kMiB};
  if (flags.kills) sizes.kills = static_cast<std::size_t>(*flags.kills);
  return sizes;
}

void fill(std::span<char> bytes, std::uint64_t version, std::uint64_t offset) {
  std::size_t at = 0;
  if (offset % 8 == 0) {  // whole words, which are nearly all
    for (; at + 8 <= bytes.size(); at += 8) {
      const std::uint64_t word = word_at(version, (offset + at) / 8);
      std::memcpy(bytes.data() + at, &word, 8);
    }
  }
  while (at < bytes.size()) {
    const std::uint64_t place = offset + at;
    const std::uint64_t word = word_at(version, place / 8);
    const std::size_t skip = place % 8, count = std::min<std::size_t>(8 - skip, bytes.size() - at);
    std::memcpy(bytes.data() + at, reinterpret_cast<const char*>(&word) + skip, count);
    at += count;
  }
}

std::string content(std::uint64_t version, std::uint64_t length) {
  std::string bytes(length, '\0');
  fill(bytes, version, 0);
  return bytes;
}

std::vector<std::uint64_t> awkward_sizes() {
  return {0, 1, kBuffer - 1, kBuffer, kBuffer + 1};
}

std::vector<RangeQuestion> range_questions(std::uint64_t size, std::size_t count,
                                           std::uint64_t seed) {
  auto questions = corners(size);
  lab::Random random = lab::Random(seed).stream(11);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t first = random.below(size);
    const std::uint64_t length = 1 + random.below(random.chance(0.8) ? 4 * kKiB : size);
    const std::uint64_t last = std::min(first + length, size) - 1;
    questions.push_back(
        satisfied(fmt::format("bytes={}-{}", first, first + length - 1), first, last));
  }
  return questions;
}

std::vector<PathQuestion> path_questions(const fs::path& root) {
  std::vector<PathQuestion> questions{{"/files/inside.txt", true},
                                      {"/files/folder/inner.txt", true},
                                      {"/files/in%73ide.txt", true}};
  const std::string name = root.filename(), above = root.parent_path();
  for (const std::string& way_out :
       {// up
        std::string("../outside.txt"), std::string("folder/../../outside.txt"),
        std::string("./../outside.txt"), std::string("folder/./.././../outside.txt"),
        std::string("../") + name + "-other/outside.txt", std::string("../") + name + "/inside.txt",
        std::string("../../../../../../../../../../etc/passwd"), std::string(".."),
        // up, encoded once: what a proxy or a router in front may have let pass
        std::string("%2e%2e/outside.txt"), std::string("..%2foutside.txt"),
        std::string("%2e%2e%2foutside.txt"), std::string("%2E%2E%2Foutside.txt"),
        std::string(".%2e/outside.txt"), std::string("folder%2f..%2f..%2foutside.txt"),
        // and twice: only who decodes twice is led out
        std::string("%252e%252e/outside.txt"), std::string("..%252foutside.txt"),
        std::string("%25252e%25252e%25252foutside.txt"),
        // overlong UTF-8, other slashes, other dots
        std::string("%c0%ae%c0%ae/outside.txt"), std::string("..%c0%afoutside.txt"),
        std::string("%e0%80%ae%e0%80%ae/outside.txt"), std::string("..%5coutside.txt"),
        std::string("..\\outside.txt"), std::string("%ff%fe/outside.txt"),
        // absolute
        "/" + above + "/outside.txt", "%2f" + above.substr(1) + "/outside.txt",
        above + "/outside.txt", std::string("//etc/passwd"), std::string("%2fetc%2fpasswd"),
        // NUL and other controls
        std::string("inside.txt%00"), std::string("inside.txt%00.png"),
        std::string("..%00/outside.txt"), std::string("%00"), std::string("link%0a"),
        std::string("inside.txt%0d%0aX-Injected:%201"),
        // symbolic links, to a file, to a folder, in the middle, in a chain, to /proc
        std::string("link"), std::string("link/"), std::string("folder_link/outside.txt"),
        std::string("folder/up/outside.txt"), std::string("chain"),
        std::string("root_link/etc/passwd"), std::string("process/root/etc/passwd"),
        std::string("process/environ"),
        // what is no regular file
        std::string("fifo"), std::string("device"), std::string("folder"), std::string("folder/"),
        std::string("."), std::string(""), std::string("inside.txt/"), std::string("inside.txt/.."),
        // broken
        std::string("%"), std::string("%2"), std::string("%zz"), std::string("%2e%2e%"),
        std::string(5000, 'a'), std::string(".hidden")})
    questions.push_back({"/files/" + way_out, false});
  for (const char* elsewhere : {"/files/../../outside.txt", "/../outside.txt", "/files",
                                "/files%2f../outside.txt", "/%66iles/../outside.txt"})
    questions.push_back({elsewhere, false});
  return questions;
}

void lay_out_traps(const fs::path& root, const std::string& canary) {
  const fs::path above = root.parent_path();
  fs::create_directories(root / "folder");
  fs::create_directories(above / (root.filename().string() + "-other"));
  for (const auto& path :
       {above / "outside.txt", above / (root.filename().string() + "-other") / "outside.txt"})
    make_file(path, canary);
  for (const auto& path : {root / "inside.txt", root / "folder" / "inner.txt"})
    make_file(path, kInsideText);
  make_file(root / ".hidden", canary);
  fs::create_symlink(above / "outside.txt", root / "link");
  fs::create_symlink("..", root / "folder_link");
  fs::create_symlink("../..", root / "folder" / "up");
  fs::create_symlink("link", root / "chain");
  fs::create_symlink("/", root / "root_link");
  fs::create_symlink("/proc/self", root / "process");
  fs::create_symlink("/dev/zero", root / "device");
  if (::mkfifo((root / "fifo").c_str(), 0644) != 0) give_up(root / "fifo");
}

void make_sparse(const fs::path& path, std::uint64_t version, std::uint64_t size) {
  constexpr std::uint64_t kIsland = 16 * kKiB;
  const std::uint64_t every = std::max<std::uint64_t>(size / 16, kIsland);
  const File file = create(path);
  if (::ftruncate(file.descriptor(), static_cast<off_t>(size)) != 0) give_up(path);
  std::string island(kIsland, '\0');
  for (std::uint64_t at = 0; at + kIsland <= size; at += every) {
    if (at + every + kIsland > size) at = size - kIsland;  // the last one ends with the file
    fill(island, version, at);
    if (::lseek(file.descriptor(), static_cast<off_t>(at), SEEK_SET) < 0 ||
        !write_whole(file.descriptor(), island))
      give_up(path);
  }
}

void make_file(const fs::path& path, std::string_view bytes) {
  const File file = create(path);
  if (!write_whole(file.descriptor(), bytes)) give_up(path);
}

}  // namespace large_file_streaming
