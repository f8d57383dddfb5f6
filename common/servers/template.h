#pragma once
// Data folders that were prepared once: making one costs a database server about a second, copying
// it tens of milliseconds. Kept under $XDG_CACHE_HOME or ~/.cache/system-design-lab, readable by
// their user alone; when that cannot be written, in the temporary folder for this run only.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "servers/channel.h"

namespace lab::servers {

/// Fills the empty folder FOLDER/data as the user.
using PrepareData = std::function<Result<void>(const std::filesystem::path& folder)>;

/// The prepared folder called `key` ("mariadb-10.11.19-1": kind, version, revision of the recipe).
/// Making it needs `space` bytes in the temporary folder. Thread-safe; two runs that prepare the same one at once do not hurt each other.
Result<std::filesystem::path> prepared_data(Supervisor::Channel& channel, const std::string& key,
                                            User user, std::uint64_t space,
                                            const PrepareData& prepare);

}  // namespace lab::servers
