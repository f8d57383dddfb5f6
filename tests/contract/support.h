#pragma once
// What the contract tests share.

#include "servers/server.h"
#include "test_support.h"

namespace lab::test {

/// The one supervisor of this test program.
servers::Supervisor& supervisor();

}  // namespace lab::test
