#pragma once
// The operating system's error numbers as the lab's errors.

#include <string>

#include "core/result.h"

namespace lab::servers {

/// "cannot make a folder in /tmp: No space left on device": `exhausted` when something is used up
/// (disk, quota, descriptors, processes, memory), else `unavailable`. Happened: no.
Error errno_error(int number, std::string what);

}  // namespace lab::servers
