#pragma once
#include "core/result.h"
#include "servers/server.h"

namespace lab::servers {

/// The Error for a program that is not there: what is missing and what to type.
Error not_installed(const Installed& installed);

/// The path of Erlang's `erl`, or empty.
std::string find_erlang();

}  // namespace lab::servers
