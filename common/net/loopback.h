#pragma once
// TCP sockets of 127.0.0.1: nothing here listens on, or connects to, another address.

namespace lab::net {

/// As ::connect() to 127.0.0.1:port: 0, or -1 and errno.
int connect_to_loopback(int socket, int port);

/// As ::bind() to 127.0.0.1:port; port 0: the kernel chooses. The port, or -1 and errno.
int bind_to_loopback(int socket, int port);

/// Whether errno says of a non-blocking socket: nothing now, ask again later.
bool would_block();

struct Listener {
  int socket = -1;  // non-blocking; whoever asked for it closes it
  int port = 0;
};

/// A socket that accepts connections; port 0: the kernel chooses. Throws Failure (unavailable) when the port is taken, or when
/// this process has no descriptor left.
Listener listen_on_loopback(int port = 0);

}  // namespace lab::net
