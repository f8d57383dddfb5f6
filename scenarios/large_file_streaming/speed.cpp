#include "speed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "actors/role.h"
#include "core/subprocess.h"
#include "net/loopback.h"
#include "probes.h"
#include "servers/wire.h"

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
constexpr std::size_t kLoadAtOnce = 512 * kKiB;  // how rarely the load is to be woken

double mb_per_second(std::uint64_t bytes, Nanos took) {
  return static_cast<double>(bytes) / kMB / lab::seconds(took);
}

/// A file, or a part of one, so often on one connection.
struct Wanted {
  std::string target;
  std::uint64_t bytes = 0;
  std::size_t times = 1;
  std::string headers;  // whole lines
  bool gzip = false;    // then what comes is shorter
};

/// MB/s of the file; nothing when it did not come whole. The load drops what it receives in the kernel and is woken rarely,
/// so the server is what takes the time.
std::optional<double> timed_download(
    int port, const Wanted& wanted, const std::function<void()>& before = [] {},
    const std::function<void()>& after = [] {}) {
  Client client(port, {.at_once = kLoadAtOnce});
  before();
  const Instant begin = now();
  for (std::size_t i = 0; i < wanted.times; ++i) {
    client.ask("GET", wanted.target, wanted.headers);
    const Answer answer = client.receive();
    if (answer.status / 100 != 2 || answer.ending != Ending::complete) return std::nullopt;
    if (!wanted.gzip && answer.bytes != wanted.bytes) return std::nullopt;
  }
  const Nanos took = now() - begin;
  after();
  return mb_per_second(wanted.bytes * wanted.times, took);
}

/// What a thread has done so far: time on a CPU, and how often it went to sleep.
struct Work {
  Nanos busy{};
  std::uint64_t sleeps = 0;
};

/// By thread.
std::map<std::string, Work> work_of(pid_t process) {
  std::map<std::string, Work> all;
  std::error_code gone;
  for (const auto& thread : fs::directory_iterator(fmt::format("/proc/{}/task", process), gone)) {
    Work& work = all[thread.path().filename()];
    std::int64_t on_cpu = 0;
    std::ifstream(thread.path() / "schedstat") >> on_cpu;
    work.busy = Nanos(on_cpu);
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      constexpr std::string_view kSleeps = "voluntary_ctxt_switches:";
      if (line.starts_with(kSleeps)) work.sleeps = std::stoull(line.substr(kSleeps.size()));
    }
  }
  return all;
}

/// Another one in each round, until all of the file has been sent.
Slice part_of_large(const Sizes& sizes, int round) {
  const std::uint64_t parts = sizes.large / sizes.part;
  return {static_cast<std::uint64_t>(round) % parts * sizes.part, sizes.part};
}

Wanted part_wanted(const Sizes& sizes, const char* folder, int round) {
  const Slice part = part_of_large(sizes, round);
  return {
      .target = folder + sparse_name(sizes.large),
      .bytes = part.length,
      .headers = fmt::format("Range: bytes={}-{}\r\n", part.offset, part.offset + part.length - 1)};
}

class TimedRound {
 public:
  TimedRound(const Setting& setting, int round)
      : setting_(setting),
        round_(round),
        server_(server_options(setting, serve_orders(setting), std::nullopt)) {}

  RoundReport run() {
    if (setting_.recipe.step == Step::upload) {
      put();
    } else if (setting_.recipe.step == Step::download) {
      const Sizes& sizes = setting_.sizes;
      get("small_mb_per_second", whole(sizes.small, sizes.small_downloads));
      get("medium_mb_per_second", whole(sizes.medium, 1));
      // Not of those that would need its size in memory. A part of a file is never compressed.
      if (!setting_.recipe.whole_in_memory) get_part(part_wanted(sizes, "/files/", round_));
    }
    const auto ended = server_.stop(5s);
    if (ended.killed() || ended.status != 0) report_.spoiled = describe(ended);
    return std::move(report_);
  }

 private:
  void add(const char* name, double value) {
    report_.metrics.push_back({name, "MB/s", Better::higher, {value}});
  }

  Wanted whole(std::uint64_t size, std::size_t times) const {
    const bool gzip = setting_.recipe.gzip;
    return {.target = "/files/" + sparse_name(size),
            .bytes = size,
            .times = times,
            .headers = gzip ? "Accept-Encoding: gzip\r\n" : "",
            .gzip = gzip};
  }

  void get(const char* metric, const Wanted& wanted) {
    const auto rate = timed_download(server_.port(), wanted);
    if (!rate) report_.spoiled = fmt::format("{} did not come whole", wanted.target);
    add(metric, rate.value_or(0));
  }

  /// And what that cost the server. Its threads are asked while the connection is open: later the one of it is gone.
  void get_part(const Wanted& part) {
    std::map<std::string, Work> before, after;
    const auto rate = timed_download(
        server_.port(), part, [&] { before = work_of(server_.pid()); },
        [&] { after = work_of(server_.pid()); });
    if (!rate) report_.spoiled = fmt::format("{} did not come whole", part.target);
    add("large_mb_per_second", rate.value_or(0));
    Work done;
    for (const auto& [thread, work] : after) {
      done.busy += work.busy - before[thread].busy;
      done.sleeps += work.sleeps - before[thread].sleeps;
    }
    const double gib = static_cast<double>(part.bytes) / static_cast<double>(kGiB);
    report_.metrics.push_back(single_sample("large_cpu_ms_per_gib", "ms", Better::lower,
                                            lab::milliseconds(done.busy) / gib));
    report_.metrics.push_back(single_sample("large_sleeps_per_gib", "1", Better::lower,
                                            static_cast<double>(done.sleeps) / gib));
  }

  void put() {
    const std::uint64_t size = setting_.sizes.uploaded;
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
  const int round_;
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

std::optional<double> bare_rate(const Setting& setting, int round) {
  const Slice part = part_of_large(setting.sizes, round);
  const fs::path file = setting.root / sparse_name(setting.sizes.large);
  lab::actors::Actor bare(actor(
      setting, kBareRole,
      nlohmann::json{{"file", file}, {"offset", part.offset}, {"length", part.length}}.dump()));
  const auto port = bare.next_line(5s);
  if (!port) return std::nullopt;
  Client client(std::stoi(*port), {.at_once = kLoadAtOnce});
  const Instant begin = now();
  const Answer answer = client.receive();  // it sends a head, for the client is the same for all
  if (answer.bytes != part.length) return std::nullopt;
  return mb_per_second(part.length, now() - begin);
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
std::optional<double> nginx_rate(const Setting& setting, int round) {
  const fs::path folder = setting.root.parent_path() / "nginx";
  fs::create_directories(folder);
  const auto port = lab::servers::free_port();
  if (!port) return std::nullopt;
  make_file(folder / "nginx.conf", nginx_configuration(folder, setting.root, *port));
  lab::actors::Actor nginx(actor(setting, kNginxRole, folder.string()));
  std::optional<Client> client;
  for (const Instant end = now() + 5s; !client && now() < end && !nginx.wait(2ms);) {
    try {
      client.emplace(*port);
    } catch (const lab::Failure&) {  // not yet
    }
  }
  if (!client) return std::nullopt;
  const auto rate = timed_download(*port, part_wanted(setting.sizes, "/", round));
  client.reset();
  nginx.terminate();
  nginx.wait(2s);
  return rate;
}

}  // namespace

RoundReport run_timed_round(const Setting& setting, int round) {
  return TimedRound(setting, round).run();
}

std::vector<Limit> measure_limits(const Setting& setting, int round) {
  std::vector<Limit> limits;
  if (const auto rate = bare_rate(setting, round))
    limits.push_back(limit("sendfile in a loop, no HTTP, one connection", *rate));
  const std::string version = nginx_version();
  if (version.empty()) return limits;
  if (const auto rate = nginx_rate(setting, round))
    limits.push_back(limit(fmt::format("nginx {} with sendfile, one connection", version), *rate));
  return limits;
}

int bare_main() {
  const auto orders = nlohmann::json::parse(lab::actors::take_orders());
  const File file(::open(orders.at("file").get<std::string>().c_str(), O_RDONLY | O_CLOEXEC));
  const auto listening = lab::net::listen_on_loopback();
  const File listener(listening.socket);
  lab::actors::tell_run(std::to_string(listening.port));
  ::fcntl(listener.descriptor(), F_SETFL, 0);  // this one waits for its only client
  const File socket(
      ::accept4(listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  const int on = 1;
  ::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  const auto length = orders.at("length").get<std::uint64_t>();
  const std::string head = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", length);
  (void)!::send(socket.descriptor(), head.data(), head.size(), MSG_NOSIGNAL);
  pollfd room{socket.descriptor(), POLLOUT, 0};
  auto at = orders.at("offset").get<off_t>();
  for (const off_t end = at + static_cast<off_t>(length); at < end; ::poll(&room, 1, -1)) {
    const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(end - at), 2 * kMiB);
    const ssize_t sent = ::sendfile(socket.descriptor(), file.descriptor(), &at, count);
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
