#pragma once
// The real Redis, over hiredis.

#include <memory>
#include <string>

#include "infra/redis.h"

namespace lab::infra {

struct RedisAddress {
  std::string unix_socket;  // when not empty, host and port are not used
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string user, password;  // never logged
  int database = 0;

  /// redis://[user:password@]host[:port][/database] or unix:///path/to.sock
  static Result<RedisAddress> parse(std::string_view url);
  /// For messages: without the password.
  std::string display() const;
};

struct RedisOptions {
  /// Connections are opened on first use, at most this many; a caller waits for a free one.
  std::size_t connections = 16;
  std::chrono::milliseconds connect_timeout{1000};
  /// Single commands of different threads share connections and travel in batches (implicit
  /// pipelining): fewer system calls, the same answers. A call that times out closes the connection
  /// it shared. Not for commands that make the server wait (BLPOP) or change the connection's state
  /// (SELECT, MULTI): a shared connection waits and changes for all. A pipeline() always has a
  /// connection of its own.
  bool batch_calls = false;
  /// How many connections the batches share; each thread keeps to one.
  std::size_t lanes = 2;
};

/// Does not connect yet: the first call does.
std::unique_ptr<Redis> connect_redis(RedisAddress address, RedisOptions options = {});

}  // namespace lab::infra
