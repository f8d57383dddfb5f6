#pragma once
// Private servers: real Redis, MariaDB, PostgreSQL and RabbitMQ processes that belong to this run
// alone.
//
// A small supervisor process (bin/lab_supervisor) is their parent. A socket connects it to the run;
// when the run goes, even by kill -9, the supervisor kills every descendant and removes the folders,
// then goes too. If the supervisor itself is killed, the kernel kills the servers (PR_SET_PDEATHSIG)
// and the next run removes the folders, and ends what was frozen in them (their marker names a
// process that is no more). Folders are made in $LAB_TMPDIR, else $TMPDIR, else /tmp.
//
// As root, PostgreSQL runs as the user `postgres`, who must be able to reach that folder; everything
// else runs as the user of the run. Data folders of databases are prepared once and kept under
// $XDG_CACHE_HOME or ~/.cache/system-design-lab.
//
// Each server has a 0700 folder of its own and listens on a Unix socket in it and, when asked, on a
// port of 127.0.0.1 that the kernel chose (RabbitMQ on the port alone: it knows no such socket). Ready means: it answered its own protocol.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace lab::servers {

/// One server process (tree). Calls are thread-safe; each returns when its effect is complete.
class Server {
 public:
  virtual ~Server() = default;  // kills it and removes its folder

  virtual std::string kind() const = 0;     // "redis", "mariadb", "postgres", "rabbitmq"
  virtual std::string version() const = 0;  // "7.0.15"
  virtual int pid() const = 0;              // 0 while it is down
  virtual const std::filesystem::path& folder() const = 0;

  /// Waits until it answers. Does nothing when it runs; `invalid` when it is paused.
  virtual Result<void> start() = 0;
  /// SIGKILL to the whole tree, reaped when this returns. Does nothing when it is down.
  virtual Result<void> kill() = 0;
  /// SIGSTOP to the whole tree: connects succeed, answers do not come. `not_found` when it is down.
  virtual Result<void> pause() = 0;
  virtual Result<void> resume() = 0;  // SIGCONT
  /// kill, then start. How long it was down, from the signal to the first answer.
  Result<Nanos> restart();
};

struct RedisServerOptions {
  bool tcp = false;          // also listen on 127.0.0.1; without a password, as Redis comes
  bool append_only = false;  // AOF with `appendfsync`
  /// "no" gives the kernel each command before it is answered, which outlives a killed process. "everysec" holds commands back
  /// while an fsync is under way, for up to two seconds (flushAppendOnlyFile() in its aof.c), and a kill then takes
  /// what was answered. "always" outlives the machine, too.
  std::string appendfsync = "no";
  /// Loads dump.rdb at start when there is one; SAVE writes it (never by itself).
  bool snapshots = false;
};

class RedisServer : public Server {
 public:
  virtual std::filesystem::path socket() const = 0;
  virtual int port() const = 0;  // 0 without tcp; the same after a restart
};

struct SqlServerOptions {
  bool tcp = false;
  std::string database = "lab";
  std::vector<std::string> settings = {};  // "name=value" of the server's configuration
};

class SqlServer : public Server {
 public:
  /// MariaDB: the socket. PostgreSQL: the folder that holds it.
  virtual std::filesystem::path socket() const = 0;
  /// The same after a restart. PostgreSQL: names its socket file even without tcp.
  virtual int port() const = 0;
  virtual std::string user() const = 0;
  /// Made for this run; never on a command line or in a log.
  virtual std::string password() const = 0;
  virtual std::string database() const = 0;
};

struct RabbitServerOptions {
  std::string vhost = "lab";
};

/// One node that no other can join: it listens on its AMQP port and nowhere else (no epmd, no Erlang
/// distribution, no plugins), so rabbitmqctl cannot reach it either. What durable queues hold of
/// persistent messages survives a kill. Its start takes seconds of CPU time.
class RabbitServer : public Server {
 public:
  virtual int port() const = 0;  // of 127.0.0.1; the same after a restart
  virtual std::string user() const = 0;
  /// Made for this run; never on a command line or in a log.
  virtual std::string password() const = 0;
  virtual std::string vhost() const = 0;
};

/// The run's connection to its supervisor. Make one early in main, before threads: it starts the
/// supervisor. Throws Failure when the supervisor cannot be started.
class Supervisor {
 public:
  Supervisor();
  ~Supervisor();  // every server must be gone by then; kills what is not
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Which CPUs the servers started from now on may use; empty means all.
  void place(std::vector<int> cpus);

  Result<std::unique_ptr<RedisServer>> redis(RedisServerOptions options = {});
  Result<std::unique_ptr<SqlServer>> mariadb(SqlServerOptions options = {});
  Result<std::unique_ptr<SqlServer>> postgres(SqlServerOptions options = {});
  Result<std::unique_ptr<RabbitServer>> rabbitmq(RabbitServerOptions options = {});

  /// A 0700 folder for whatever else the run needs on disk; it goes when the supervisor goes.
  Result<std::filesystem::path> folder();

  class Channel;

 private:
  std::shared_ptr<Channel> channel_;
};

/// What is installed, without starting anything: the program's path, or empty.
struct Installed {
  std::string kind;     // "redis"
  std::string program;  // "/usr/bin/redis-server", or empty
  std::string version;
  std::string how_to_get;  // "apt-get install redis-server"
};
Installed find_redis();
Installed find_mariadb();
Installed find_postgres();
Installed find_rabbitmq();  // with the Erlang that it needs

}  // namespace lab::servers
