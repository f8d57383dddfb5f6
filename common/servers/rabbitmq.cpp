#include <cctype>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "servers/child.h"
#include "servers/dead_letters.h"
#include "servers/files.h"
#include "servers/installed.h"
#include "servers/makers.h"
#include "servers/secret.h"
#include "servers/wire.h"

namespace fs = std::filesystem;

namespace lab::servers {
namespace {

constexpr std::uint64_t kRabbitSpace = 100'000'000;
constexpr const char* kUser = "lab";
constexpr const char* kCookie = ".erlang.cookie";
constexpr const char* kConfiguration = "lab";  // Erlang adds ".config"

/// The applications that an Erlang application names in its .app file ("{applications, [kernel,stdlib,…]}").
std::vector<std::string> applications_in(const fs::path& app_file) {
  std::ifstream file(app_file);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto key = text.find("{applications");
  const auto begin = text.find('[', key);
  const auto end = text.find(']', begin);
  std::vector<std::string> names;
  if (key == std::string::npos || end == std::string::npos) return names;
  std::istringstream list(text.substr(begin + 1, end - begin - 1));
  for (std::string word; std::getline(list, word, ',');) {
    std::erase_if(word, [](unsigned char c) { return std::isspace(c) || c == '\''; });
    if (!word.empty()) names.push_back(word);
  }
  return names;
}

/// Folders of code: the broker and what it needs, out of some seventy plugins. Searching all of them
/// for each module makes its start twice as long.
class CodePath {
 public:
  explicit CodePath(fs::path plugins) : plugins_(std::move(plugins)) { add("rabbit"); }
  const std::vector<std::string>& folders() const { return folders_; }

 private:
  void add(const std::string& application) {
    if (!seen_.insert(application).second) return;
    const auto folder = folder_of(application);
    if (folder.empty()) return;  // Erlang's own
    folders_.push_back(folder.string());
    for (const auto& needed : applications_in(folder / (application + ".app"))) add(needed);
  }

  /// PLUGINS/rabbit-3.10.8/ebin
  fs::path folder_of(const std::string& application) const {
    std::error_code error;
    for (fs::directory_iterator entry(plugins_, error), end; !error && entry != end;
         entry.increment(error)) {
      const auto name = entry->path().filename().string();
      if (name.substr(0, name.rfind('-')) == application) return entry->path() / "ebin";
    }
    return {};
  }

  const fs::path plugins_;
  std::set<std::string> seen_;
  std::vector<std::string> folders_;
};

/// The first frames of AMQP 0-9-1 (specification, sections 2.2.4 and 4.2.3): enough to learn whether
/// it is our broker that listens there. Another one would not know our password.
class Handshake {
 public:
  static bool lets_in(int port, const std::string& user, const std::string& password) {
    auto wire = Wire::open_port(port, 2s);
    if (!wire || !wire->send(std::string_view("AMQP\x00\x00\x09\x01", 8))) return false;
    if (method_in(frame(*wire)) != kStart || !wire->send(start_ok(user, password))) return false;
    return method_in(frame(*wire)) == kTune;
  }

 private:
  // Class 10, methods 10, 11 and 30: connection.start, start-ok, tune.
  static constexpr std::string_view kStart{"\0\x0a\0\x0a", 4}, kStartOk{"\0\x0a\0\x0b", 4},
      kTune{"\0\x0a\0\x1e", 4};

  static std::string length(std::size_t size) {
    return {static_cast<char>(size >> 24), static_cast<char>(size >> 16),
            static_cast<char>(size >> 8), static_cast<char>(size)};
  }

  /// The payload of a method frame; empty when it is none.
  static std::string frame(Wire& wire) {
    const auto header = wire.receive(7);  // type, two bytes of channel, four of length
    if (!header || (*header)[0] != '\1') return {};
    const auto byte = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>((*header)[i])};
    };
    const auto body = wire.receive((byte(3) << 24 | byte(4) << 16 | byte(5) << 8 | byte(6)) + 1);
    return body ? *body : std::string{};
  }

  static std::string method_in(const std::string& payload) { return payload.substr(0, 4); }

  /// No properties, mechanism PLAIN (RFC 4616), locale en_US.
  static std::string start_ok(const std::string& user, const std::string& password) {
    const std::string response = '\0' + user + '\0' + password;
    std::string payload(kStartOk);
    payload += length(0) + std::string("\5PLAIN") + length(response.size()) + response;
    payload += "\5en_US";
    return std::string("\1\0\0", 3) + length(payload.size()) + payload + '\xce';
  }
};

class PrivateRabbit : public ChildServer<RabbitServer> {
 public:
  PrivateRabbit(std::shared_ptr<Supervisor::Channel> channel, const Installed& installed,
                std::string erlang, fs::path folder, RabbitServerOptions options, int port)
      : erlang_(std::move(erlang)),
        home_(fs::path(installed.program).parent_path().parent_path()),
        code_(home_ / "plugins"),
        options_(std::move(options)),
        port_(port) {
    adopt(std::make_unique<Child>(std::move(channel),
                                  ChildParts{.kind = installed.kind,
                                             .version = installed.version,
                                             .user = this_user(),
                                             .folder = std::move(folder),
                                             .arguments = [this] { return arguments(); },
                                             .environment = [this] { return environment(); },
                                             .before_start = {},
                                             .answers = [this]() -> Result<bool> {
                                               return Handshake::lets_in(port_, kUser, password_);
                                             }}));
  }

  int port() const override { return port_; }
  std::string user() const override { return kUser; }
  std::string password() const override { return password_; }
  std::string vhost() const override { return options_.vhost; }

  Result<void> start_first() {
    std::error_code error;
    fs::create_directory(folder() / "nothing", error);
    for (const auto& [name, text] : {std::pair{std::string(kCookie), random_password()},
                                     {std::string(kConfiguration) + ".config", configuration()},
                                     {std::string("enabled_plugins"), std::string("[].\n")}}) {
      if (auto written = write_private_file(folder() / name, text, this_user()); !written) {
        return written;
      }
    }
    return start_on_a_free_port(*this, port_, child().log());
  }

 private:
  // Erlang directly: the package's script changes to the user rabbitmq, and its command-line tools
  // are not needed here. No distribution either: -dist_listen and -start_epmd (in the environment,
  // because the broker starts Erlang again to see to epmd) leave only the AMQP port open.
  std::vector<std::string> arguments() const {
    std::vector<std::string> words{erlang_, "-pa"};
    words.insert(words.end(), code_.folders().begin(), code_.folders().end());
    for (const char* word : {"-config",
                             kConfiguration,
                             "-noinput",
                             "-boot",
                             "start_sasl",
                             "-s",
                             "rabbit",
                             "boot",
                             "-sname",
                             "lab@localhost",
                             "-erl_epmd_port",
                             "1",
                             "+W",
                             "w",
                             "+S",
                             "2:2",
                             "+sbwt",
                             "none",
                             "-kernel",
                             "prevent_overlapping_partitions",
                             "false"}) {
      words.emplace_back(word);
    }
    return words;
  }

  // What names a file is set, so that none of the system's own is read: its settings in
  // /etc/rabbitmq are not ours.
  std::vector<std::string> environment() const {
    return {"ERL_ZFLAGS=-start_epmd false -dist_listen false",
            "ERL_EPMD_PORT=1",
            "ERL_CRASH_DUMP_BYTES=0",
            "ERL_MAX_ETS_TABLES=50000",
            "SYS_PREFIX=",
            "RABBITMQ_HOME=" + home_.string(),
            "RABBITMQ_NODENAME=lab@localhost",
            "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
            "RABBITMQ_NODE_PORT=" + std::to_string(port_),
            "RABBITMQ_LOGS=-",
            "RABBITMQ_LOG_BASE=log",
            "RABBITMQ_MNESIA_BASE=" + (folder() / "data").string(),
            "RABBITMQ_PID_FILE=rabbitmq.pid",
            "RABBITMQ_FEATURE_FLAGS_FILE=feature_flags",
            "RABBITMQ_ENABLED_PLUGINS_FILE=enabled_plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR=generated",
            "RABBITMQ_PLUGINS_DIR=nothing",
            "RABBITMQ_CONF_ENV_FILE=nothing/environment",
            "RABBITMQ_CONFIG_FILE=nothing/rabbitmq",
            "RABBITMQ_CONFIG_FILES=nothing/*.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE=nothing/advanced.config"};
  }

  /// Erlang terms, read by Erlang itself: rabbitmq.conf would have to be translated by the broker, at
  /// each start. No disk monitor (0 retries to set it up): it puts the folder's name into a shell
  /// command as it is, and hangs on a quote.
  std::string configuration() const {
    return "[{rabbit, [{default_user, <<\"" + std::string(kUser) + "\">>}, {default_pass, <<\"" +
           password_ + "\">>}, {default_vhost, <<\"" + options_.vhost +
           "\">>},\n"
           "  {vm_memory_high_watermark, {absolute, 536870912}}, {disk_monitor_failure_retries, "
           "0},\n"
           "  {dead_letter_worker_publisher_confirm_timeout, " +
           std::to_string(kDeadLetterAgain.count()) +
           "},\n"
           "  {log, [{console, [{enabled, true}, {level, error}]}, {file, [{file, false}]}]}]},\n"
           " {os_mon, [{start_cpu_sup, false}, {start_disksup, false}, {start_memsup, false}]},\n"
           " {syslog, [{logger, []}, {syslog_error_logger, false}]}].\n";
  }

  const std::string erlang_;
  const fs::path home_;
  const CodePath code_;
  const RabbitServerOptions options_;
  const std::string password_ = random_password();
  int port_;
};

}  // namespace

Result<std::unique_ptr<RabbitServer>> make_rabbitmq(std::shared_ptr<Supervisor::Channel> channel,
                                                    RabbitServerOptions options) {
  const auto installed = find_rabbitmq();
  if (installed.program.empty()) return not_installed(installed);
  if (auto valid = check_database_name(options.vhost); !valid) return valid.error();
  const auto port = free_port();
  if (!port) return port.error();
  auto folder = channel->make_folder(this_user());
  if (!folder) return folder.error();
  auto server = std::make_unique<PrivateRabbit>(channel, installed, find_erlang(), *folder,
                                                std::move(options), *port);
  if (auto room = need_space(*folder, kRabbitSpace); !room) return room.error();
  if (auto started = server->start_first(); !started) return started.error();
  return std::unique_ptr<RabbitServer>(std::move(server));
}

}  // namespace lab::servers
