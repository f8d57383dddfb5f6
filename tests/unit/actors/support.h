#pragma once
// What the tests of actors share.

#include <sys/types.h>

#include "test_support.h"

namespace lab::actors::test {

using lab::test::eventually;
using lab::test::TestFolder;

/// Neither running nor stopped: gone, or dead and not yet reaped by whoever inherited it.
bool is_gone(pid_t pid);

}  // namespace lab::actors::test
