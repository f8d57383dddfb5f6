#pragma once
// Single questions to a running server. Each fills a part of the evidence and leaves the server as it found it, if the server
// is any good.

#include <functional>

#include "checks.h"
#include "net/server_process.h"

namespace large_file_streaming {

/// The kernel's split of a process's resident memory: its own, and pages of the cache that it has mapped.
struct MemorySplit {
  std::uint64_t anonymous_bytes = 0, mapped_bytes = 0;
};
MemorySplit memory_of(pid_t process);

/// Compares what comes with a file, from its first byte on.
class Comparison {
 public:
  /// Throws Failure when it cannot be read.
  explicit Comparison(const std::filesystem::path& file);
  void take(std::span<const char> bytes);
  /// What it says of a transfer.
  void tell(Transfer& transfer) const;

 private:
  File file_;
  std::uint64_t same_ = 0;
  bool right_ = true;
  std::vector<char> wanted_;
};

/// One download of a file at the top of the root, compared with it. `at_times` is called now and then while bytes come.
Transfer download(int port, const std::filesystem::path& file, bool gzip,
                  const std::function<void()>& at_times = {});

/// One upload of content(version, size), sent as it is made; then the file is compared.
Transfer upload(int port, const std::filesystem::path& root, const std::string& name,
                std::uint64_t version, std::uint64_t size,
                const std::function<void()>& at_times = {});

/// The file is content(version, size).
std::vector<RangeAnswer> ask_ranges(int port, const std::string& name, std::uint64_t version,
                                    const std::vector<RangeQuestion>& questions);
/// The file is content(version, size), and is replaced by the next version on the way.
std::vector<ConditionAnswer> ask_conditions(int port, const std::filesystem::path& file,
                                            std::uint64_t version, std::uint64_t size);
std::vector<PathAnswer> ask_paths(int port, const std::filesystem::path& root,
                                  const std::string& canary);

/// Clients that stop in the middle. `upload`: they send and stop, instead of receiving.
Absent stop_in_the_middle(lab::net::ServerProcess& server, const std::string& name, bool upload,
                          std::size_t clients, bool gone);
Aborts abort_many(lab::net::ServerProcess& server, const std::filesystem::path& root,
                  const std::string& name, bool upload, std::size_t count);

/// Reads at a walking pace until it is told to hurry. For a thread of its own.
class SlowReader {
 public:
  SlowReader(int port, const std::filesystem::path& file);
  ~SlowReader();
  Transfer finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A file of content(version, size) that is cut to an eighth while it is sent.
Truncation shrink_while_sent(lab::net::ServerProcess& server, const std::filesystem::path& file,
                             std::uint64_t version, std::uint64_t size, bool gzip);

std::size_t unfinished_uploads(const std::filesystem::path& root);

/// Follows content(version) from an offset on.
class Follower {
 public:
  explicit Follower(std::uint64_t version, std::uint64_t offset = 0)
      : version_(version), offset_(offset) {}
  bool take(std::span<const char> bytes);  // false: they are others
  bool right() const { return right_; }
  std::uint64_t offset() const { return offset_; }

 private:
  std::uint64_t version_, offset_;
  bool right_ = true;
  std::vector<char> wanted_;
};

}  // namespace large_file_streaming
