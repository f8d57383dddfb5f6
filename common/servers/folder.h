#pragma once
// The folders of servers: PARENT/lab-XXXXXX, mode 0700, with a marker file that names the
// supervisor they belong to. Only a folder that holds such a marker, written by us, is ever
// removed.

#include <sys/types.h>

#include <filesystem>

#include "core/result.h"

namespace lab::servers {

/// $LAB_TMPDIR, else $TMPDIR, else /tmp; absolute.
std::filesystem::path temporary_root();

/// $XDG_CACHE_HOME or $HOME/.cache, and in it system-design-lab; empty when neither variable is
/// set.
std::filesystem::path cache_root();

/// Makes a folder that is marked as the calling process's, and gives it to the user.
Result<std::filesystem::path> make_marked_folder(const std::filesystem::path& parent, uid_t uid,
                                                 gid_t gid);

/// Removes a folder with all that is in it, and the shared memory that a PostgreSQL in it left
/// behind. `invalid` when it holds no marker of ours.
Result<void> remove_marked_folder(const std::filesystem::path& folder);

/// Removes the folders in `parent` that we own and whose marker names a process that is gone.
/// Processes that still work in such a folder (servers that were frozen when their supervisor was
/// killed) are killed first. Quietly leaves alone whatever it cannot judge.
void sweep_stale_folders(const std::filesystem::path& parent);

}  // namespace lab::servers
