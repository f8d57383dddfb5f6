#include "servers/template.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "servers/files.h"
#include "servers/folder.h"

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

// A rename that reaches the disk before the data would leave an empty template after a power cut.
void write_to_disk(const fs::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::syncfs(file);
  ::close(file);
}

/// Copies into a marked folder in the cache, then renames: whoever comes second finds it done.
Result<fs::path> keep(Supervisor::Channel& channel, const fs::path& data, const fs::path& kept) {
  auto folder = channel.make_folder(this_user(), kept.parent_path());
  if (!folder) return folder.error();
  auto copied = copy_folder(data, *folder / "data", this_user());
  std::error_code error;
  if (copied) {
    write_to_disk(*folder);
    fs::rename(*folder / "data", kept, error);
  }
  (void)channel.remove_folder(*folder);
  if (!copied) return copied.error();
  if (error && !fs::exists(kept)) {
    return Error{ErrorCode::unavailable, Happened::no,
                 "cannot make " + kept.string() + ": " + error.message()};
  }
  return kept;
}

}  // namespace

Result<fs::path> prepared_data(Supervisor::Channel& channel, const std::string& key, User user,
                               std::uint64_t space, const PrepareData& prepare) {
  const std::lock_guard lock(channel.templates_mutex);
  if (const auto known = channel.templates.find(key); known != channel.templates.end()) {
    return known->second;
  }
  const auto cache = cache_root();
  std::error_code error;
  if (!cache.empty() && fs::is_directory(cache / key, error)) return cache / key;

  log::info("preparing a data folder for {} (once)", key);
  auto folder = channel.make_folder(user);
  if (!folder) return folder.error();
  auto prepared = need_space(*folder, space);
  if (prepared) prepared = prepare(*folder);
  if (!prepared) {
    (void)channel.remove_folder(*folder);
    return prepared.error();
  }
  if (!cache.empty() && fs::is_directory((fs::create_directories(cache, error), cache), error)) {
    if (auto kept = keep(channel, *folder / "data", cache / key)) {
      (void)channel.remove_folder(*folder);
      return *kept;
    } else {
      log::info("not kept for later runs: {}", kept.error().message);
    }
  }
  return channel.templates[key] = *folder / "data";
}

}  // namespace lab::servers
