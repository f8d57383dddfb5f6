#pragma once
#include "core/result.h"
#include "servers/server.h"

namespace lab::servers {

/// The Error for a program that is not there: what is missing and what to type.
Error not_installed(const Installed& installed);

}  // namespace lab::servers
