#pragma once
// What a run talks to: private real servers, the embedded twins, or the user's own addresses,
// chosen by the flags; and the faults that can be done to each. Scenarios ask for what they need
// and do not care which it is.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "faults/plan.h"
#include "harness/scenario.h"
#include "infra/amqp.h"
#include "infra/redis_client.h"
#include "infra/sql.h"

namespace lab::backends {

/// The faults of Redis that any scenario can offer. A process fault needs a server that the run
/// started; a network fault goes through a proxy, and so needs a socket.
///   redis-kill      kill -9, back at the end of the fault, empty
///   redis-old-dump  the same, but back with the snapshot that was saved when the load began
///   redis-pause     SIGSTOP: connects succeed, answers do not come
///   redis-reset     every connection is reset at the beginning and at the end of the fault
///   redis-cut       connections are reset and new ones refused: what a dead server looks like over
///                   the network
///   redis-slow      one second more each way
///   redis-garbage   a byte in 100 of what Redis answers is changed
/// Where Redis is a broker, these are called
///   broker-kill           redis-kill, and back with what it had written down
///   broker-kill-volatile  the same without an append-only file: back empty
///   broker-pause          redis-pause
///   broker-reset          redis-reset
std::vector<harness::FaultChoice> redis_faults();

/// What the run's fault was seen to do to clients, apart from what the variants made of it. A fault
/// that nobody felt proves nothing: use it as a guard.
struct FaultEffect {
  bool felt = false;
  std::string detail;  // "PING: refused" · "12 connections reset"
};

/// Thread-safe.
class RedisBackend {
 public:
  virtual ~RedisBackend() = default;

  /// A client as the variants use it: through the proxy when this run's fault needs one.
  virtual std::unique_ptr<infra::Redis> client(infra::RedisOptions options = {}) = 0;
  /// A client that no network fault touches, for the scenario itself.
  virtual std::unique_ptr<infra::Redis> direct_client(infra::RedisOptions options = {}) = 0;

  /// What the run's fault does, at these times after the plan's start. Empty for "none" and for
  /// faults that are not Redis's.
  virtual std::vector<faults::Fault> faults(const harness::Timing& timing) = 0;
  /// Of the faults() that were carried out last; complete when their plan has finished.
  virtual FaultEffect effect() const = 0;

  virtual harness::ServerUsed used() const = 0;
  /// For another process of this run; none for the embedded twin, which lives in this one. Holds the password.
  virtual std::optional<infra::RedisAddress> address() const = 0;
  /// The same as client() sees it: through the proxy when this run's fault needs one.
  virtual std::optional<infra::RedisAddress> client_address() const = 0;
  /// How to reach it with Redis's own tools (redis-benchmark): "-s /path" or "-h host -p port" as
  /// words; empty when it cannot be (embedded, or a password is needed).
  virtual std::vector<std::string> tool_arguments() const = 0;
};

/// What a session's limits() tell where Redis is what bounds `metric` (a rate): GETs per second that redis-benchmark gets
/// from it with so many clients and values of 64 bytes. Empty where it cannot be asked (embedded, a password) or is not
/// installed.
std::vector<harness::Limit> redis_get_limit(const RedisBackend& redis, std::size_t clients,
                                            std::size_t requests, const std::string& metric);

/// The process faults of a database. One that the run did not start is not touched, and SQLite has no
/// process of its own.
///   db-kill    kill -9, back at the end of the fault
///   db-pause   SIGSTOP: connects succeed, answers do not come until the end of the fault
std::vector<harness::FaultChoice> sql_faults();

/// Thread-safe. The schema is migrated when this is made.
class SqlBackend {
 public:
  virtual ~SqlBackend() = default;
  virtual std::unique_ptr<infra::Sql> connect(infra::SqlOptions options = {}) = 0;
  /// For another process of this run. Holds the password.
  virtual infra::SqlAddress address() const = 0;
  virtual harness::ServerUsed used() const = 0;

  /// What the run's fault does, at these times after the plan's start. Empty for faults that are not
  /// the database's.
  virtual std::vector<faults::Fault> faults(const harness::Timing& timing) = 0;
};

/// The faults of RabbitMQ:
///   broker-kill    kill -9, started again at the end of the fault (which takes seconds more), with what it had written
///   broker-pause   SIGSTOP: connects succeed, answers do not come until the end of the fault
///   broker-reset   every connection is reset at the beginning and at the end of the fault
/// Thread-safe. There is no embedded twin: a queue in SQLite is the embedded one.
class RabbitBackend {
 public:
  virtual ~RabbitBackend() = default;

  /// The private broker is started in the background; this waits until it answers. Throws Failure when it cannot be
  /// started. Holds the password.
  virtual infra::AmqpAddress address() = 0;
  /// Through the proxy when this run's fault needs one.
  virtual infra::AmqpAddress client_address() = 0;

  /// What the run's fault does, at these times after the plan's start. Empty for faults that are not the broker's.
  virtual std::vector<faults::Fault> faults(const harness::Timing& timing) = 0;
  /// Of the faults() that were carried out last; complete when their plan has finished.
  virtual FaultEffect effect() const = 0;

  virtual harness::ServerUsed used() const = 0;
};

struct Needs {
  bool redis = false;
  bool durable_redis = false;  // with an append-only file, unless the fault is about having none
  bool sql = false;
  bool folder = false;
  /// Only for a variant that is chosen: its start costs seconds. It is left out, with a note, where it is not installed or
  /// the backend is embedded; then Backends::rabbit is empty, and its variant cannot run.
  bool rabbitmq = false;
  /// Each of these at once, whatever --sql says: private servers, and SQLite as a file. On the
  /// embedded backend SQLite alone.
  std::vector<infra::SqlEngine> engines = {};
  /// Of those private servers, by engine: "name=value" of their configuration.
  std::map<infra::SqlEngine, std::vector<std::string>> settings = {};
};

struct Backends {
  std::shared_ptr<void> keep_alive;  // the supervisor; last to go
  std::unique_ptr<RedisBackend> redis;
  std::unique_ptr<SqlBackend> sql;
  std::unique_ptr<RabbitBackend> rabbit;
  std::filesystem::path folder;  // 0700, for what the run's processes write down; goes with the run
  std::map<infra::SqlEngine, std::unique_ptr<SqlBackend>> engines;
};

/// Starts or reaches what is needed. Changes the plan where the default cannot be had, with a note
/// for the user: `embedded` when a server is not installed and the backend was not chosen; another
/// fault when the default one would hit a server that the run did not start. What the user chose
/// and cannot have is a Failure: `invalid` (a process fault on one's own Redis) or `unavailable`.
Backends open(harness::RunPlan& plan, harness::EventStream& events, Needs needs);

}  // namespace lab::backends
