#pragma once
// The server that most of these tests ask.

#include "net/server_process.h"

namespace lab::net {

inline ServerProcess echo_server() {
  return ServerProcess({.role = "echo", .program = LAB_NET_ROLES});
}

}  // namespace lab::net
