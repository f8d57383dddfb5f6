#include "fault_run.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "core/random.h"
#include "core/stop.h"
#include "harness/load.h"
#include "probes.h"
#include "upload_folder.h"

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;
using lab::Instant;
using lab::now;
using namespace lab::harness;
using lab::net::ServerProcess;
using namespace std::chrono_literals;

constexpr const char* kSolid = "solid.bin";  // content() throughout

class FaultRun {
 public:
  FaultRun(const Setting& setting, EventStream& events)
      : setting_(setting),
        events_(events),
        random_(lab::Random(setting.plan.flags.seed).stream(5)) {
    evidence_.step = setting.recipe.step;
    evidence_.rough = setting.plan.fault == kRough;
    evidence_.limit_bytes = memory_limit();
    evidence_.stall = serve_orders(setting).patience.stall;
    start();
  }

  TrialReport run() {
    HiccupMeter hiccups;
    const Instant began = now();
    if (evidence_.step != Step::root) {
      step("memory", [this] { measure_memory(); });
      step("contents", [this] { transfer_awkward_sizes(); });
    }
    step("paths",
         [this] { evidence_.paths = ask_paths(server().port(), setting_.root, setting_.canary); });
    if (evidence_.step == Step::download) step("ranges and conditions", [this] { ask(); });
    if (evidence_.rough && evidence_.step != Step::root) {
      step("absent clients", [this] { be_absent(); });
      if (evidence_.step == Step::download) step("shrinking files", [this] { shrink(); });
      step("aborts", [this] { abort(); });  // who leaks may have nothing left for anything else
      if (evidence_.step == Step::upload) step("kills", [this] { kill_all(); });
    }
    evidence_.hiccup = hiccups.worst(began, now());
    const auto ended = server().stop(2s);
    report_.guards.push_back({"the server stops when it is told to",
                              !ended.killed() && ended.status == 0, describe(ended)});
    return judge();
  }

 private:
  template <class Work>
  void step(const char* what, const Work& work) {
    if (lab::stop_requested()) return;
    events_.emit("phase", {{"variant", setting_.recipe.variant}, {"name", std::string(what)}});
    work();
  }

  void start(const ServeOrders* orders = nullptr) {
    server_ = std::make_unique<ServerProcess>(
        server_options(setting_, orders ? *orders : serve_orders(setting_), evidence_.limit_bytes));
  }

  /// One that is alive: whoever killed the last one has noted it.
  ServerProcess& server() {
    if (server_->ended()) start();
    return *server_;
  }

  bool uploads() const { return evidence_.step == Step::upload; }
  bool gzip() const { return setting_.recipe.gzip; }

  // The peak only grows, so its difference between sizes is what the larger one cost.

  void measure_memory() {
    rlimit in_force{};
    ::prlimit(server_->pid(), RLIMIT_AS, nullptr, &in_force);
    guard("the memory limit is in force",
          !evidence_.limit_bytes || in_force.rlim_cur == *evidence_.limit_bytes,
          fmt::format("{} bytes", in_force.rlim_cur));
    const Sizes& sizes = setting_.sizes;
    for (int i = 0; i < 3; ++i) (void)move(sizes.small, gzip(), nullptr);  // pages of the program
    // Compressed, the large one would take minutes on some machines: it comes as it is, after a smaller one.
    std::vector<std::uint64_t> all{sizes.small, sizes.medium, sizes.large};
    if (gzip() && sizes.gzip > sizes.medium) all.insert(all.end() - 1, sizes.gzip);
    for (const std::uint64_t size : all) {
      MemorySample sample{.size = size};
      const bool plain = &size == &all.back();
      const Transfer transfer = move(size, gzip() && !plain, &sample);
      const auto usage = server_->usage();
      if (usage) sample.peak_bytes = usage->peak_resident_bytes;
      sample.done = transfer.ending == Ending::complete && transfer.status / 100 == 2;
      if (size > sizes.medium)
        evidence_.large.push_back(transfer);
      else
        evidence_.transfers.push_back(transfer);
      if (sample.done && usage) evidence_.memory.push_back(sample);
      evidence_.died_under_limit = sample.done ? std::nullopt : server_->actor().wait(500ms);
      if (!sample.done) return;
    }
  }

  Transfer move(std::uint64_t size, bool compressed, MemorySample* sample) {
    const auto look = [&] {
      if (!sample) return;
      const MemorySplit split = memory_of(server_->pid());
      sample->anonymous_bytes = std::max(sample->anonymous_bytes, split.anonymous_bytes);
      sample->mapped_bytes = std::max(sample->mapped_bytes, split.mapped_bytes);
    };
    if (uploads()) {
      auto moved = upload(server_->port(), setting_.root, "large-upload.bin", 3, size, look);
      fs::remove(setting_.root / "large-upload.bin");
      return moved;
    }
    return download(server_->port(), setting_.root / sparse_name(size), compressed, look);
  }

  void transfer_awkward_sizes() {
    for (const std::uint64_t size : awkward_sizes()) {
      const std::string name = fmt::format("awkward-{}.bin", size);
      if (uploads()) {
        evidence_.transfers.push_back(upload(server().port(), setting_.root, name, 4, size));
        continue;
      }
      const fs::path file = setting_.root / name;
      make_file(file, content(4, size));
      evidence_.transfers.push_back(download(server().port(), file, false));
      if (gzip()) evidence_.transfers.push_back(download(server().port(), file, true));
    }
  }

  void ask() {
    const std::uint64_t size = 3 * kMiB + 7;
    make_file(setting_.root / kSolid, content(5, size));
    evidence_.range_size = size;
    evidence_.ranges =
        ask_ranges(server().port(), kSolid, 5,
                   range_questions(size, setting_.sizes.ranges, setting_.plan.flags.seed));
    const fs::path changing = setting_.root / "changing.bin";
    make_file(changing, content(6, kBuffer + 1));
    evidence_.conditions = ask_conditions(server().port(), changing, 6, kBuffer + 1);
  }

  void be_absent() {
    auto& running = server();
    const std::string name = sparse_name(setting_.sizes.large);
    std::unique_ptr<SlowReader> slow;
    if (!uploads()) {
      const fs::path file = setting_.root / kSolid;
      make_file(file, content(7, setting_.sizes.shrinking));
      slow = std::make_unique<SlowReader>(running.port(), file);
    }
    // read_all would need all of it in memory, for each: the absent are not what it dies of.
    const std::string wanted = uploads() ? name : kSolid;
    for (const bool gone : {false, true}) {
      evidence_.absent.push_back(
          stop_in_the_middle(running, wanted, uploads(), setting_.sizes.stalled, gone));
      if (!evidence_.absent.back().freed) break;  // what is held already would hide the rest
    }
    if (slow) evidence_.slow_reader = slow->finish();
  }

  void abort() {
    constexpr const char* kAborted = "aborted.bin";
    make_sparse(setting_.root / kAborted, 1, 6 * kMiB);  // more than sockets hold
    const Sizes& sizes = setting_.sizes;
    evidence_.aborts = abort_many(server(), setting_.root, kAborted, uploads(),
                                  uploads() ? sizes.aborted_uploads() : sizes.aborts);
  }

  void shrink() {
    const fs::path file = setting_.root / "shrinking.bin";
    for (const bool compressed : {false, true}) {
      if (compressed && !gzip()) continue;
      evidence_.truncations.push_back(
          shrink_while_sent(server(), file, 8, setting_.sizes.shrinking, compressed));
    }
  }

  void kill_all() {
    const fs::path file = setting_.root / "kept.bin";
    make_file(file, content(100, kMiB));
    std::uint64_t version = 100;
    for (std::size_t i = 0; i < setting_.sizes.kills && !lab::stop_requested(); ++i) {
      // As many at random moments as at named points.
      const auto points = upload_points();
      Kill kill{.point = i % 2 == 0 ? points[i / 2 % points.size()] : std::string()};
      version = kill_one(kill, file, version);
      start();  // whatever it clears away
      kill.left_behind = unfinished_uploads(setting_.root);
      evidence_.kills.push_back(kill);
    }
  }

  /// Returns the version that is there afterwards; where there is neither, the file is made anew.
  std::uint64_t kill_one(Kill& kill, const fs::path& file, std::uint64_t version) {
    ServeOrders orders = serve_orders(setting_);
    orders.points = (setting_.root.parent_path() / ("points-" + setting_.recipe.variant)).string();
    orders.die_at = kill.point;
    // A copy of 1 MiB passes it 16 times.
    orders.passing = kill.point == kBytesWritten ? 1 + random_.below(15) : 1;
    start(&orders);
    const std::string bytes = content(version + 1, kMiB);
    Client client(server_->port(), {.limit = 2s});
    client.ask("PUT", "/files/" + file.filename().string(),
               fmt::format("Content-Length: {}\r\n", bytes.size()));
    if (kill.point.empty()) {
      send_and_kill(client, bytes);
    } else {
      client.send(bytes);
    }
    // At a random moment, too, it may have answered before it died.
    kill.acknowledged = client.receive().status / 100 == 2;
    if (kill.acknowledged) server_->kill();
    const auto ended = server_->actor().wait(2s);
    kill.died = ended && ended->killed() && !kill.acknowledged;
    return look_at(kill, file, version);
  }

  /// Within the body, or within the microseconds after it, in which the server syncs and renames.
  void send_and_kill(Client& client, const std::string& bytes) {
    const bool within = random_.chance(0.5);
    client.send(std::span(bytes).first(within ? random_.below(bytes.size()) : bytes.size()));
    if (!within) std::this_thread::sleep_for(std::chrono::microseconds(random_.below(4'000)));
    server_->kill();
  }

  std::uint64_t look_at(Kill& kill, const fs::path& file, std::uint64_t version) {
    const std::string found = sha256_of_file(file);
    kill.size = fs::file_size(file);
    if (found == sha256_of(content(version, kMiB))) {
      kill.found = Kill::Found::old_version;
      return version;
    }
    if (found == sha256_of(content(version + 1, kMiB))) {
      kill.found = Kill::Found::new_version;
      return version + 1;
    }
    make_file(file, content(version, kMiB));
    return version;
  }

  TrialReport judge() {
    report_.checks = judge_all(checks(), evidence_);
    add_guards();
    add_metrics();
    return std::move(report_);
  }

  void guard(std::string name, bool satisfied, std::string detail = {}) {
    report_.guards.push_back({std::move(name), satisfied, std::move(detail)});
  }

  void add_guards() {
    const auto inside = std::count_if(evidence_.paths.begin(), evidence_.paths.end(),
                                      [](const PathAnswer& path) { return path.inside; });
    guard("paths that stay inside are served", inside > 0, fmt::format("{} were", inside));
    guard("what lies outside can be read by who follows the link",
          ::access((setting_.root / "link").c_str(), R_OK) == 0);
    if (!evidence_.rough || evidence_.step == Step::root) return;
    for (const auto& absent : evidence_.absent)
      guard(fmt::format("clients of which each {} were under way", absent.how),
            absent.seen == absent.clients, fmt::format("{} of {}", absent.seen, absent.clients));
    for (const auto& cut : evidence_.truncations)
      guard("the file was cut while it was sent", cut.before > 0 && cut.before < cut.size / 2,
            fmt::format("after {} of {} bytes", cut.before, cut.size));
  }

  void add_metrics() {
    for (const auto& sample : evidence_.memory) {
      const auto add = [&](const char* what, std::uint64_t bytes) {
        report_.metrics.push_back(
            single_sample(fmt::format("{}_at_{}_mib", what, sample.size / kMiB), "MiB",
                          Better::lower, static_cast<double>(bytes) / static_cast<double>(kMiB)));
      };
      add("peak", sample.peak_bytes);
      if (&sample == &evidence_.memory.back()) add("own", sample.anonymous_bytes);
      if (&sample == &evidence_.memory.back()) add("mapped", sample.mapped_bytes);
    }
    const auto count = [&](const char* name, std::size_t number) {
      report_.metrics.push_back(
          single_sample(name, "1", Better::neither, static_cast<double>(number)));
    };
    if (!evidence_.ranges.empty()) count("ranges", evidence_.ranges.size());
    count("paths", evidence_.paths.size());
    if (evidence_.aborts) count("aborts", evidence_.aborts->count);
    if (evidence_.aborts)
      count("descriptors_leaked",
            evidence_.aborts->descriptors_after - std::min(evidence_.aborts->descriptors_after,
                                                           evidence_.aborts->descriptors_before));
    for (const auto& absent : evidence_.absent) {
      if (absent.freed)
        report_.metrics.push_back(
            single_sample(absent.how == "is gone" ? "gone_freed_ms" : "stalled_freed_ms", "ms",
                          Better::lower, lab::milliseconds(*absent.freed)));
    }
    if (evidence_.kills.empty()) return;
    count("kills",
          static_cast<std::size_t>(std::count_if(evidence_.kills.begin(), evidence_.kills.end(),
                                                 [](const Kill& kill) { return kill.died; })));
    count("files_torn", static_cast<std::size_t>(std::count_if(
                            evidence_.kills.begin(), evidence_.kills.end(),
                            [](const Kill& kill) { return kill.found == Kill::Found::neither; })));
  }

  const Setting& setting_;
  EventStream& events_;
  lab::Random random_;
  Evidence evidence_;
  TrialReport report_;
  std::unique_ptr<ServerProcess> server_;
};

}  // namespace

std::string sparse_name(std::uint64_t size) {
  return fmt::format("sparse-{}-mib.bin", size / kMiB);
}

std::optional<std::uint64_t> memory_limit() {
#ifdef __SANITIZE_ADDRESS__
  return std::nullopt;
#else
  return kMemoryLimit;
#endif
}

ServeOrders serve_orders(const Setting& setting) {
  return {.variant = setting.recipe.variant, .folder = setting.root.string()};
}

lab::net::ServerOptions server_options(const Setting& setting, const ServeOrders& orders,
                                       std::optional<std::uint64_t> limit) {
  return {.orders = to_json(orders),
          .limits = {.address_space_bytes = limit},
          .cpus = setting.plan.placement.servers};
}

TrialReport run_with_fault(const Setting& setting, EventStream& events) {
  return FaultRun(setting, events).run();
}

}  // namespace large_file_streaming
