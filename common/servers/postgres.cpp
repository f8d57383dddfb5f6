#include <pwd.h>

#include <cstdint>
#include <fstream>
#include <optional>

#include "core/stop.h"
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

constexpr std::uint64_t kPostgresSpace = 120'000'000;  // data 38 MB, and room for the log of writes
// A commit waits for the disk, and a disk that others keep busy stalls for seconds.
constexpr Nanos kAnswerLimit = 30s;
constexpr int kPortWithoutTcp = 5432;  // then it only names the socket file

// The first connection makes the password, so until then the superuser needs none: over the socket
// in a folder that only its user can enter.
constexpr const char* kAccessAtFirst = "local template1 postgres trust\n";
constexpr const char* kAccess =
    "local all all scram-sha-256\n"
    "host all all 127.0.0.1/32 scram-sha-256\n";

std::string int32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::uint32_t to_int32(const std::string& bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(i));
  return value;
}

/// The little of the frontend/backend protocol (version 3.0) that start-up needs.
class Conversation {
 public:
  struct Message {
    char type = 0;  // 'R' authentication, 'E' error, 'Z' ready for query, …
    std::string body;

    /// A field of an error: 'C' the SQLSTATE, 'M' the text.
    std::string field(char code) const {
      for (std::size_t at = 0; at < body.size() && body[at] != '\0';) {
        const std::string value = body.c_str() + at + 1;
        if (body[at] == code) return value;
        at += value.size() + 2;
      }
      return {};
    }
    bool says_starting_up() const { return type == 'E' && field('C') == "57P03"; }
    bool asks_for_sasl() const { return type == 'R' && body.size() >= 4 && to_int32(body) == 10; }
  };

  /// Sends the start-up packet; the server's first message, when one comes.
  static std::optional<std::pair<Conversation, Message>> begin(const fs::path& socket,
                                                               const std::string& user,
                                                               const std::string& database) {
    auto wire = Wire::open(socket, kAnswerLimit);
    if (!wire) return std::nullopt;
    Conversation conversation(std::move(*wire));
    std::string body = int32(3 << 16);
    for (const auto& word : {std::string("user"), user, std::string("database"), database}) {
      body += word + '\0';
    }
    body += '\0';
    if (!conversation.wire_.send(int32(static_cast<std::uint32_t>(body.size()) + 4) + body)) {
      return std::nullopt;
    }
    auto first = conversation.next();
    if (!first) return std::nullopt;
    return std::pair(std::move(conversation), std::move(*first));
  }

  /// Reads until the server is ready for a query; an Error when it reports one on the way.
  Result<void> until_ready() {
    Result<void> outcome;
    while (true) {
      const auto message = next();
      if (!message) return message.error();
      if (message->type == 'Z') return outcome;
      if (message->type == 'E') {
        outcome = Error{ErrorCode::internal, Happened::no, "postgres: " + message->field('M')};
      }
    }
  }

  Result<void> run(const std::string& statement) {
    const auto size = static_cast<std::uint32_t>(statement.size()) + 5;
    if (auto sent = wire_.send('Q' + int32(size) + statement + '\0'); !sent) return sent;
    return until_ready();
  }

 private:
  explicit Conversation(Wire wire) : wire_(std::move(wire)) {}

  Result<Message> next() {
    const auto header = wire_.receive(5);
    if (!header) return header.error();
    const auto size = to_int32(header->substr(1));
    auto body = wire_.receive(size < 4 ? 0 : size - 4);
    if (!body) return body.error();
    return Message{header->front(), std::move(*body)};
  }

  Wire wire_;
};

/// PostgreSQL refuses to run as root; Debian's package brings a user for it.
Result<User> server_user() {
  if (::geteuid() != 0) return this_user();
  const passwd* entry = ::getpwnam("postgres");
  if (entry != nullptr) return User{entry->pw_uid, entry->pw_gid};
  return Error{ErrorCode::unavailable, Happened::no,
               "PostgreSQL does not run as root, and there is no user 'postgres'; "
               "run as an ordinary user, or type: useradd --system postgres"};
}

class PrivatePostgres : public ChildServer<SqlServer> {
 public:
  PrivatePostgres(std::shared_ptr<Supervisor::Channel> channel, const Installed& installed,
                  User user, fs::path folder, SqlServerOptions options, int port)
      : program_(installed.program), options_(std::move(options)), port_(port) {
    adopt(std::make_unique<Child>(std::move(channel),
                                  ChildParts{.kind = installed.kind,
                                             .version = installed.version,
                                             .user = user,
                                             .folder = std::move(folder),
                                             .arguments = [this] { return arguments(); },
                                             .before_start = {},
                                             .answers = [this] { return answers(); }}));
  }

  fs::path socket() const override { return folder(); }
  fs::path socket_file() const { return folder() / (".s.PGSQL." + std::to_string(port_)); }
  int port() const override { return port_; }
  std::string user() const override { return "lab"; }
  std::string password() const override { return password_; }
  std::string database() const override { return options_.database; }

  /// Copies the prepared data, starts, makes our user, and closes the door to everybody else.
  Result<void> start_first(const fs::path& prepared) {
    const auto owner = child().parts().user;
    if (auto copied = copy_folder(prepared, folder() / "data", owner); !copied) return copied;
    if (auto set = set_access(kAccessAtFirst); !set) return set;
    if (auto started = start_on_a_free_port(*this, port_, child().log()); !started) return started;
    if (auto made = make_our_user(); !made) return made;
    return wait_until_passwords_are_asked_for();
  }

 private:
  std::vector<std::string> arguments() const {
    std::vector<std::string> words{program_, "-D", (folder() / "data").string(), "-p",
                                   std::to_string(port_)};
    const std::string listen = options_.tcp ? "127.0.0.1" : "";
    // Shared memory in the data folder: what lies in /dev/shm would outlive a kill -9.
    for (const auto& setting :
         {"listen_addresses=" + listen, "unix_socket_directories=" + quoted_folder(),
          std::string("dynamic_shared_memory_type=mmap"), std::string("shared_buffers=16MB"),
          std::string("max_connections=100")}) {
      words.emplace_back("-c");
      words.push_back(setting);
    }
    for (const auto& setting : options_.settings) {
      words.emplace_back("-c");
      words.push_back(setting);
    }
    return words;
  }

  // The setting is a list: quotes keep a folder's spaces and commas.
  std::string quoted_folder() const {
    std::string quoted = "\"";
    for (const char letter : folder().string())
      quoted += std::string(letter == '"' ? 2 : 1, letter);
    return quoted + "\"";
  }

  Result<bool> answers() const {
    const auto begun = Conversation::begin(socket_file(), user(), database());
    return begun && !begun->second.says_starting_up();
  }

  Result<void> set_access(const std::string& lines) const {
    const auto file = folder() / "data" / "pg_hba.conf";
    const auto fresh = folder() / "pg_hba.new";
    if (auto written = write_private_file(fresh, lines, child().parts().user); !written) {
      return written;
    }
    std::error_code error;
    fs::rename(fresh, file, error);
    if (error)
      return Error{ErrorCode::unavailable, Happened::no, "cannot replace " + file.string()};
    return {};
  }

  Result<void> make_our_user() const {
    auto begun = Conversation::begin(socket_file(), "postgres", "template1");
    if (!begun)
      return Error{ErrorCode::closed, Happened::no, "postgres closed its first connection"};
    auto& [conversation, first] = *begun;
    if (first.type == 'E') {
      return Error{ErrorCode::internal, Happened::no, "postgres: " + first.field('M')};
    }
    if (auto ready = conversation.until_ready(); !ready) return ready;
    const auto& name = options_.database;
    const std::string statements[] = {
        "SET log_min_error_statement = panic",  // so that the password cannot get into the log
        "CREATE ROLE lab LOGIN PASSWORD '" + password_ + "'",
        "ALTER DATABASE postgres RENAME TO " + name,  // copying a database would take 50 ms
        "ALTER DATABASE " + name + " OWNER TO lab",
    };
    for (const auto& statement : statements) {
      if (auto done = conversation.run(statement); !done) return done;
    }
    if (auto set = set_access(kAccess); !set) return set;
    return conversation.run("SELECT pg_reload_conf()");
  }

  /// The new access rules come into force a moment after they were asked for.
  Result<void> wait_until_passwords_are_asked_for() const {
    const auto give_up = now() + kAnswerLimit;
    while (now() < give_up && !stop_requested()) {
      const auto superuser = Conversation::begin(socket_file(), "postgres", "template1");
      if (superuser && superuser->second.asks_for_sasl()) return {};
      sleep_for(1ms);
    }
    return Error{ErrorCode::timeout, Happened::no, "postgres did not take its access rules"};
  }

  const std::string program_;
  const SqlServerOptions options_;
  const std::string password_ = random_password();
  int port_;
};

Result<void> prepare(Supervisor::Channel& channel, const Installed& installed, User user,
                     const fs::path& folder) {
  const auto initdb = fs::canonical(installed.program).parent_path() / "initdb";
  // --no-clean: were it to remove the data after a failure, its shared memory could not be found.
  return channel.run({.arguments = {initdb.string(), "-D", (folder / "data").string(), "-U",
                                    "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                                    "--no-instructions", "--no-sync", "--no-clean"},
                      .user = user,
                      .folder = folder},
                     60s);
}

}  // namespace

Result<std::unique_ptr<SqlServer>> make_postgres(std::shared_ptr<Supervisor::Channel> channel,
                                                 SqlServerOptions options) {
  const auto installed = find_postgres();
  if (installed.program.empty()) return not_installed(installed);
  if (auto valid = check_database_name(options.database); !valid) return valid.error();
  const auto user = server_user();
  if (!user) return user.error();
  int port = kPortWithoutTcp;
  if (options.tcp) {
    const auto free = free_port();
    if (!free) return free.error();
    port = *free;
  }
  const auto prepared = prepared_data(
      *channel, "postgres-" + installed.version + "-1", *user, kPostgresSpace,
      [&](const fs::path& folder) { return prepare(*channel, installed, *user, folder); });
  if (!prepared) return prepared.error();
  auto folder = channel->make_folder(*user);
  if (!folder) return folder.error();
  auto server = std::make_unique<PrivatePostgres>(channel, installed, *user, *folder,
                                                  std::move(options), port);
  if (auto fits = check_socket_path(server->socket_file()); !fits) return fits.error();
  if (auto room = need_space(*folder, kPostgresSpace); !room) return room.error();
  if (auto started = server->start_first(*prepared); !started) return started.error();
  return std::unique_ptr<SqlServer>(std::move(server));
}

}  // namespace lab::servers
