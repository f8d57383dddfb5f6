#include <array>
#include <cstdint>

#include "servers/child.h"
#include "servers/files.h"
#include "servers/installed.h"
#include "servers/makers.h"
#include "servers/secret.h"
#include "servers/template.h"
#include "servers/wire.h"

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

constexpr const char* kMariadbSocket = "mysql.sock";
constexpr const char* kInitFile = "init.sql";
constexpr std::uint64_t kMariadbSpace = 140'000'000;  // data 25 MB, the log, and room to work

// Small, because several servers may run beside each other; durable, because losing acknowledged
// writes is a lesson only where it is chosen (innodb_flush_log_at_trx_commit stays 1).
const std::vector<std::string> kInnodb = {"--innodb-log-file-size=8M",
                                          "--innodb-buffer-pool-size=32M"};

// While it runs. A log of 8 MB fills within seconds of commits, and then they wait for pages to be written back. With it and
// with io_uring all writes have stood still for minutes under a load of commits; which of the two it was is not known.
const std::vector<std::string> kRunning = {"--innodb-log-file-size=64M",
                                           "--innodb-use-native-aio=0"};

std::string run_as() {
  return ::geteuid() == 0 ? "--user=root" : "";
}

/// The first packets of the client/server protocol: enough to learn whether a user may log in.
class Greeting {
 public:
  /// False while the server does not greet; it greets after it has run its init file.
  static bool seen(const fs::path& socket) {
    auto wire = Wire::open(socket, 30s);
    return wire && packet(*wire).starts_with('\x0a');  // protocol version 10
  }

  /// May `user` log in without a password?
  static bool lets_in_without_password(const fs::path& socket, const std::string& user) {
    auto wire = Wire::open(socket, 30s);
    if (!wire || packet(*wire).empty() || !wire->send(login(user))) return false;
    auto answer = packet(*wire);
    if (answer.starts_with('\xfe')) {  // asks for another method: an empty answer to that, too
      if (!wire->send(std::string("\0\0\0\3", 4))) return false;
      answer = packet(*wire);
    }
    return answer.starts_with('\0');  // OK; an error starts with 0xff
  }

 private:
  static std::string packet(Wire& wire) {
    const auto header = wire.receive(4);  // three bytes of length, least first; a sequence number
    if (!header) return {};
    const auto byte = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>((*header)[i])};
    };
    const auto body = wire.receive(byte(0) | byte(1) << 8 | byte(2) << 16);
    return body ? *body : std::string{};
  }

  // Protocol::HandshakeResponse41 with CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION,
  // CLIENT_PLUGIN_AUTH; 16 MiB packets; utf8mb4.
  static std::string login(const std::string& user) {
    std::string body("\x00\x82\x08\x00\x00\x00\x00\x01\x2d", 9);
    body.append(23, '\0');
    body += user + '\0';
    body += '\0';  // an answer of no bytes
    body += "mysql_native_password";
    body += '\0';
    std::string header{static_cast<char>(body.size()), '\0', '\0', '\1'};
    return header + body;
  }
};

class PrivateMariadb : public ChildServer<SqlServer> {
 public:
  PrivateMariadb(std::shared_ptr<Supervisor::Channel> channel, const Installed& installed,
                 fs::path folder, SqlServerOptions options, int port)
      : program_(installed.program), options_(std::move(options)), port_(port) {
    adopt(std::make_unique<Child>(
        std::move(channel),
        ChildParts{.kind = installed.kind,
                   .version = installed.version,
                   .user = this_user(),
                   .folder = std::move(folder),
                   .arguments = [this] { return arguments(); },
                   .before_start = {},
                   .answers = [this]() -> Result<bool> { return Greeting::seen(socket()); }}));
  }

  fs::path socket() const override { return folder() / kMariadbSocket; }
  int port() const override { return port_; }
  std::string user() const override { return "lab"; }
  std::string password() const override { return password_; }
  std::string database() const override { return options_.database; }

  /// Copies the prepared data, starts, and leaves one user: ours.
  Result<void> start_first(const fs::path& prepared) {
    if (auto copied = copy_folder(prepared, folder() / "data", this_user()); !copied) return copied;
    if (auto written = write_private_file(folder() / kInitFile, init_statements(), this_user());
        !written) {
      return written;
    }
    auto started = start_on_a_free_port(*this, port_, child().log());
    std::error_code ignored;
    fs::remove(folder() / kInitFile, ignored);
    if (!started || !Greeting::lets_in_without_password(socket(), "root")) return started;
    // The statements run in order and end at the first error, so the last one was not reached.
    return Error{ErrorCode::internal, Happened::no,
                 "mariadb did not run its init file: " + last_line(child().log())};
  }

 private:
  std::vector<std::string> arguments() const {
    std::vector<std::string> words{program_, "--no-defaults"};
    if (const auto user = run_as(); !user.empty()) words.push_back(user);
    words.push_back("--datadir=" + (folder() / "data").string());
    words.push_back("--socket=" + socket().string());
    words.push_back("--pid-file=" + (folder() / "mariadb.pid").string());
    words.push_back("--tmpdir=" + folder().string());
    words.insert(words.end(), kInnodb.begin(), kInnodb.end());
    words.insert(words.end(), kRunning.begin(), kRunning.end());
    for (const char* word : {"--skip-log-bin", "--performance-schema=off", "--skip-name-resolve",
                             "--max-connections=200", "--character-set-server=utf8mb4",
                             "--innodb-flush-log-at-trx-commit=1"}) {
      words.emplace_back(word);
    }
    if (options_.tcp) {
      words.push_back("--port=" + std::to_string(port_));
      words.emplace_back("--bind-address=127.0.0.1");
    } else {
      words.emplace_back("--skip-networking");
    }
    std::error_code ignored;
    if (fs::exists(folder() / kInitFile, ignored)) {
      words.push_back("--init-file=" + (folder() / kInitFile).string());
    }
    for (const auto& setting : options_.settings) words.push_back("--" + setting);
    return words;
  }

  /// One statement on each line. '%' matches the socket and 127.0.0.1, and nothing else can
  /// connect.
  std::string init_statements() const {
    return "CREATE DATABASE IF NOT EXISTS " + options_.database +
           " CHARACTER SET utf8mb4;\n"
           "CREATE OR REPLACE USER lab@'%' IDENTIFIED BY '" +
           password_ +
           "';\n"
           "GRANT ALL ON " +
           options_.database +
           ".* TO lab@'%';\n"
           "DELETE FROM mysql.global_priv WHERE User NOT IN ('lab', 'mariadb.sys');\n"
           "FLUSH PRIVILEGES;\n";
  }

  const std::string program_;
  const SqlServerOptions options_;
  const std::string password_ = random_password();
  int port_;
};

/// mariadb-install-db lies beside mariadbd or in the neighbouring bin folder.
Result<void> prepare(Supervisor::Channel& channel, const Installed& installed,
                     const fs::path& folder) {
  fs::path installer;
  for (const char* candidate : {"/usr/bin", "/usr/local/bin"}) {
    if (fs::exists(fs::path(candidate) / "mariadb-install-db")) installer = candidate;
  }
  const auto beside = fs::path(installed.program).parent_path();
  if (fs::exists(beside / "mariadb-install-db")) installer = beside;
  if (installer.empty()) {
    return Error{ErrorCode::unavailable, Happened::no,
                 "mariadb-install-db is missing; type: sudo " + installed.how_to_get};
  }
  Command command{.arguments = {(installer / "mariadb-install-db").string(), "--no-defaults"},
                  .user = this_user(),
                  .folder = folder};
  if (const auto user = run_as(); !user.empty()) command.arguments.push_back(user);
  command.arguments.emplace_back("--datadir=./data");  // a shell script that trips over spaces
  command.arguments.emplace_back("--auth-root-authentication-method=normal");
  command.arguments.emplace_back("--skip-test-db");
  command.arguments.insert(command.arguments.end(), kInnodb.begin(), kInnodb.end());
  return channel.run(command, 60s);
}

}  // namespace

Result<std::unique_ptr<SqlServer>> make_mariadb(std::shared_ptr<Supervisor::Channel> channel,
                                                SqlServerOptions options) {
  const auto installed = find_mariadb();
  if (installed.program.empty()) return not_installed(installed);
  if (auto valid = check_database_name(options.database); !valid) return valid.error();
  int port = 0;
  if (options.tcp) {
    const auto free = free_port();
    if (!free) return free.error();
    port = *free;
  }
  const auto prepared =
      prepared_data(*channel, "mariadb-" + installed.version + "-1", this_user(), kMariadbSpace,
                    [&](const fs::path& folder) { return prepare(*channel, installed, folder); });
  if (!prepared) return prepared.error();
  auto folder = channel->make_folder(this_user());
  if (!folder) return folder.error();
  auto server =
      std::make_unique<PrivateMariadb>(channel, installed, *folder, std::move(options), port);
  if (auto fits = check_socket_path(server->socket()); !fits) return fits.error();
  if (auto room = need_space(*folder, kMariadbSpace); !room) return room.error();
  if (auto started = server->start_first(*prepared); !started) return started.error();
  return std::unique_ptr<SqlServer>(std::move(server));
}

}  // namespace lab::servers
