#pragma once
// Redis's twin inside the process: for machines without Redis, and for tests. It runs the same Lua
// scripts (Lua 5.1, as the server does). What it cannot teach is the network, so it charges a
// stated round trip.

#include <memory>

#include "infra/redis.h"

namespace lab::infra {

/// The data and its health, shared by any number of clients; thread-safe. Commands: PING ECHO GET
/// SET(PX EX NX XX) DEL EXISTS PEXPIRE PTTL INCR INCRBY DBSIZE FLUSHALL FLUSHDB KEYS EVAL EVALSHA
/// SCRIPT LOAD. Any other is an `invalid` error, as it would be on a server that lacks it.
class EmbeddedRedis {
 public:
  struct Options {
    Nanos round_trip = std::chrono::microseconds(100);  // slept in every call, as a network would
  };
  explicit EmbeddedRedis(Options options);
  EmbeddedRedis() : EmbeddedRedis(Options{}) {}
  ~EmbeddedRedis();
  EmbeddedRedis(const EmbeddedRedis&) = delete;
  EmbeddedRedis& operator=(const EmbeddedRedis&) = delete;

  /// A client; must not outlive this object.
  std::unique_ptr<Redis> client();

  // What a process fault does to the real one.
  void kill();   // data gone, calls are refused
  void start();  // empty again, or with the saved snapshot if there is one
  void
  pause();  // calls hang until resume() or their own timeout (then they may have happened: unknown)
  void resume();
  void save();  // a snapshot that the next start() loads, expiry times kept (as an RDB file does)

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::infra
