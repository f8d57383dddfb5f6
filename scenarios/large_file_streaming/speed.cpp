#include "speed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "actors/role.h"
#include "core/subprocess.h"
#include "net/loopback.h"
#include "probes.h"

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;
using lab::Instant;
using lab::now;
using namespace lab::harness;
using lab::net::ServerProcess;
using namespace std::chrono_literals;

constexpr double kMB = 1e6;
constexpr const char* kNginx[] = {"nginx", "/usr/sbin/nginx"};  // not in everybody's PATH
constexpr std::uint64_t kUploaded = 256 * kMiB;  // at most: it is written to the disk

double mb_per_second(std::uint64_t bytes, Nanos took) {
  return static_cast<double>(bytes) / kMB / lab::seconds(took);
}

/// MB/s of the file; nothing when it did not come whole. The load drops what it receives in the kernel, so the server is
/// what takes the time.
std::optional<double> timed_download(int port, const std::string& target, std::uint64_t size,
                                     bool gzip, std::size_t times) {
  Client client(port);
  const Instant begin = now();
  for (std::size_t i = 0; i < times; ++i) {
    client.ask("GET", target, gzip ? "Accept-Encoding: gzip\r\n" : "");
    const Answer answer = client.receive();
    if (answer.status != 200 || answer.ending != Ending::complete) return std::nullopt;
    if (!gzip && answer.bytes != size) return std::nullopt;
  }
  return mb_per_second(size * times, now() - begin);
}

class TimedRound {
 public:
  explicit TimedRound(const Setting& setting)
      : setting_(setting), server_(server_options(setting, serve_orders(setting), std::nullopt)) {}

  RoundReport run() {
    if (setting_.recipe.step == Step::upload) {
      put();
    } else if (setting_.recipe.step == Step::download) {
      get("small_mb_per_second", setting_.sizes.small, setting_.sizes.small_downloads);
      get("medium_mb_per_second", setting_.sizes.medium, 1);
      // Not of those that would need its size in memory, or minutes to compress it.
      if (!setting_.recipe.whole_in_memory && !setting_.recipe.gzip)
        get("large_mb_per_second", setting_.sizes.large, 1);
    }
    const auto ended = server_.stop(5s);
    if (ended.killed() || ended.status != 0) report_.spoiled = describe(ended);
    return std::move(report_);
  }

 private:
  void add(const char* name, double value) {
    report_.metrics.push_back({name, "MB/s", Better::higher, {value}});
  }

  void get(const char* metric, std::uint64_t size, std::size_t times) {
    const std::string target = "/files/" + sparse_name(size);
    const auto rate = timed_download(server_.port(), target, size, setting_.recipe.gzip, times);
    if (!rate) report_.spoiled = fmt::format("{} did not come whole", target);
    add(metric, rate.value_or(0));
  }

  void put() {
    const std::uint64_t size = std::min(kUploaded, setting_.sizes.large / 4);
    std::string bytes = content(9, kMiB);
    Client client(server_.port(), {.limit = 60s});
    const Instant begin = now();
    client.ask("PUT", "/files/timed.bin", fmt::format("Content-Length: {}\r\n", size));
    for (std::uint64_t at = 0; at < size; at += bytes.size()) client.send(bytes);
    if (client.receive().status != 204) report_.spoiled = "an upload was not taken";
    add("upload_mb_per_second", mb_per_second(size, now() - begin));
    fs::remove(setting_.root / "timed.bin");
  }

  const Setting& setting_;
  ServerProcess server_;
  RoundReport report_;
};

lab::actors::ActorOptions actor(const Setting& setting, const char* role, std::string orders) {
  return {.role = role, .orders = std::move(orders), .cpus = setting.plan.placement.servers};
}

Limit limit(std::string name, double rate) {
  return {.name = std::move(name),
          .metric = "large_mb_per_second",
          .unit = "MB/s",
          .samples = {rate},
          .best = {},
          .ratio = {}};
}

std::optional<double> bare_rate(const Setting& setting) {
  const std::uint64_t size = setting.sizes.large;
  lab::actors::Actor bare(actor(setting, kBareRole, (setting.root / sparse_name(size)).string()));
  const auto port = bare.next_line(5s);
  if (!port) return std::nullopt;
  Client client(std::stoi(*port));
  const Instant begin = now();
  const Answer answer = client.receive();  // it sends a head, for the client is the same for all
  if (answer.bytes != size) return std::nullopt;
  return mb_per_second(size, now() - begin);
}

/// A port that was free a moment ago.
int free_port() {
  const auto listener = lab::net::listen_on_loopback();
  ::close(listener.socket);
  return listener.port;
}

std::string nginx_configuration(const fs::path& folder, const fs::path& root, int port) {
  std::string paths;
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    paths += fmt::format("  {}_temp_path {};\n", kind, (folder / kind).string());
  return fmt::format(
      "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log crit;\n"
      "events {{ worker_connections 64; }}\nhttp {{\n  access_log off;\n  sendfile on;\n"
      "  tcp_nopush on;\n{1}  server {{\n    listen 127.0.0.1:{2};\n    root {3};\n  }}\n}}\n",
      folder.string(), paths, port, root.string());
}

/// Nothing when it does not answer: then there is one limit less.
std::optional<double> nginx_rate(const Setting& setting) {
  const fs::path folder = setting.root.parent_path() / "nginx";
  fs::create_directories(folder);
  const int port = free_port();
  make_file(folder / "nginx.conf", nginx_configuration(folder, setting.root, port));
  lab::actors::Actor nginx(actor(setting, kNginxRole, folder.string()));
  std::optional<Client> client;
  for (const Instant end = now() + 5s; !client && now() < end && !nginx.wait(2ms);) {
    try {
      client.emplace(port);
    } catch (const lab::Failure&) {  // not yet
    }
  }
  if (!client) return std::nullopt;
  const std::uint64_t size = setting.sizes.large;
  const auto rate = timed_download(port, "/" + sparse_name(size), size, false, 1);
  client.reset();
  nginx.terminate();
  nginx.wait(2s);
  return rate;
}

}  // namespace

RoundReport run_timed_round(const Setting& setting) {
  return TimedRound(setting).run();
}

std::vector<Limit> measure_limits(const Setting& setting) {
  std::vector<Limit> limits;
  if (const auto rate = bare_rate(setting))
    limits.push_back(limit("sendfile in a loop, no HTTP, one connection", *rate));
  const std::string version = nginx_version();
  if (version.empty()) return limits;
  if (const auto rate = nginx_rate(setting))
    limits.push_back(limit(fmt::format("nginx {} with sendfile, one connection", version), *rate));
  return limits;
}

int bare_main() {
  const std::string path = lab::actors::take_orders();
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto listening = lab::net::listen_on_loopback();
  const File listener(listening.socket);
  lab::actors::tell_run(std::to_string(listening.port));
  ::fcntl(listener.descriptor(), F_SETFL, 0);  // this one waits for its only client
  const File socket(
      ::accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  const int on = 1;
  ::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  const std::uint64_t size = fs::file_size(path);
  const std::string head = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", size);
  (void)!::send(socket.descriptor(), head.data(), head.size(), MSG_NOSIGNAL);
  pollfd room{socket.descriptor(), POLLOUT, 0};
  for (off_t at = 0; static_cast<std::uint64_t>(at) < size; ::poll(&room, 1, -1)) {
    const ssize_t sent = ::sendfile(socket.descriptor(), file.descriptor(), &at, 2 * kMiB);
    if (sent == 0 || (sent < 0 && errno != EAGAIN)) return 1;
  }
  return 0;
}

int nginx_main() {
  const std::string folder = lab::actors::take_orders();
  const std::string configuration = folder + "/nginx.conf";
  const std::string log = folder + "/error.log";
  for (const char* program : kNginx)
    ::execlp(program, "nginx", "-e", log.c_str(), "-p", folder.c_str(), "-c", configuration.c_str(),
             nullptr);
  return 127;
}

std::string nginx_version() {
  static const std::string version = [] {
    for (const char* program : kNginx) {
      // It prints its version on standard error.
      const auto said = lab::run_program({"sh", "-c", std::string(program) + " -v 2>&1"}, 5s);
      const auto slash = said ? said->text.find("nginx/") : std::string::npos;
      if (slash != std::string::npos && said->exit_status == 0)
        return said->text.substr(slash + 6, said->text.find_first_of(" \n", slash) - slash - 6);
    }
    return std::string();
  }();
  return version;
}

}  // namespace large_file_streaming
