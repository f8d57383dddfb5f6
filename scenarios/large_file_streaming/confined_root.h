#pragma once
// A folder that no path leaves. The kernel resolves the path and refuses while it does so (openat2 with RESOLVE_BENEATH,
// RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS; Linux 5.6), so there is no moment between a check and the open. Where that
// call is not to be had (an older kernel, a sandbox), the path is walked a component at a time, each opened beneath the one
// before and never through a symbolic link.
//
// Symbolic links are not followed, not even those that stay inside; names that begin with a dot are not given out. A
// hard link to a file outside is a file inside: that cannot be seen here.

#include <filesystem>

#include "file_server.h"

namespace large_file_streaming {

class ConfinedRoot : public Root {
 public:
  enum class How { kernel, walk };
  static How best();  // what this system offers

  /// Throws Failure when there is no such folder.
  explicit ConfinedRoot(const std::filesystem::path& folder, How how = best());

  Result<File> open(const std::string& path) const override;

 private:
  File walk(const std::string& path) const;

  const How how_;
  File folder_;
};

}  // namespace large_file_streaming
