#pragma once
// Files and folders of servers.

#include <cstdint>
#include <filesystem>
#include <string>

#include "servers/channel.h"

namespace lab::servers {

/// The log's last line that is not blank, preferring one that speaks of an error; for messages.
std::string last_line(const std::filesystem::path& log);

/// Copies a folder with all that is in it and gives the copy to the user.
Result<void> copy_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                         User user);

/// `exhausted` when the folder's file system has less free space than that.
Result<void> need_space(const std::filesystem::path& folder, std::uint64_t bytes);

/// Makes a new file, readable by the user alone.
Result<void> write_private_file(const std::filesystem::path& path, const std::string& text,
                                User user);

/// `invalid` when the path is longer than the 107 bytes that a Unix socket's address can hold.
Result<void> check_socket_path(const std::filesystem::path& socket);

/// `invalid` unless it is lower-case letters, digits and underscores: it goes into SQL as it is.
Result<void> check_database_name(const std::string& name);

}  // namespace lab::servers
