#include "world.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <thread>

#include "confined_root.h"
#include "core/random.h"
#include "fault_run.h"
#include "net/server_process.h"
#include "probes.h"
#include "servers/server.h"
#include "speed.h"

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;
using namespace lab::harness;
using namespace std::chrono_literals;

void read_through(const fs::path& path, Slice slice) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<char> buffer(kBuffer);
  while (slice.length > 0) {
    const auto room = std::span(buffer).first(std::min<std::uint64_t>(kBuffer, slice.length));
    const auto got = read_at(file.descriptor(), room, slice.offset);
    if (!got) return;
    slice.advance(*got);
  }
}

/// Who reads a hole for the first time pays for its pages. Here all CPUs do, before anything is measured.
void fill_cache(const fs::path& path, std::uint64_t size, const std::vector<int>& others) {
  const std::jthread second([&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : others) CPU_SET(cpu, &set);
    if (!others.empty()) (void)::sched_setaffinity(0, sizeof set, &set);
    read_through(path, {size / 2, size - size / 2});
  });
  read_through(path, {0, size / 2});
}

class World : public Session {
 public:
  World(RunPlan& plan, EventStream& events, std::vector<Recipe> recipes)
      : plan_(plan),
        recipes_(std::move(recipes)),
        sizes_(choose_sizes(plan.flags)),
        root_(supervisor_.folder().value() / "root"),
        canary_(fmt::format("canary-{:x}\n", lab::mix64(plan.flags.seed))) {
    fs::create_directory(root_);
    lay_out_traps(root_, canary_);
    const auto note = [&](std::string text) { events.emit("note", {{"text", std::move(text)}}); };
    if (nginx_version().empty())
      note(
          "nginx is not installed (apt-get install nginx-light): the limit is the bare loop alone");
    if (!memory_limit())
      note(
          "sanitizers use memory of their own: no server is limited, and none is judged by its "
          "memory");
    if (ConfinedRoot::best() == ConfinedRoot::How::walk)
      note("openat2 is not to be had here: paths are walked a component at a time");
    for (const std::uint64_t size : {sizes_.small, sizes_.medium, sizes_.gzip, sizes_.large}) {
      make_sparse(root_ / sparse_name(size), 1, size);
      fill_cache(root_ / sparse_name(size), size, plan.placement.servers);
    }
  }

  std::vector<ServerUsed> servers() const override {
    return {{.kind = "files",
             .version = ConfinedRoot::best() == ConfinedRoot::How::kernel ? "openat2" : "walk",
             .where = "private folder, a process for each variant"}};
  }

  std::string load_in_words() const override {
    return fmt::format(
        "files of 0 to {} MiB (sparse; uploads are real), servers with {} MiB of address space, {} "
        "ranges, {} aborted downloads and {} uploads, {} stalled and {} vanished clients, {} "
        "kills; speed: files of {} and {} MiB, {} MiB of the large one (other ones in each round), "
        "uploads of {} MiB, one connection, the load drops what it receives",
        sizes_.large / kMiB, kMemoryLimit / kMiB, sizes_.ranges, sizes_.aborts,
        sizes_.aborted_uploads(), sizes_.stalled, sizes_.stalled, sizes_.kills, sizes_.small / kMiB,
        sizes_.medium / kMiB, sizes_.part / kMiB, sizes_.uploaded / kMiB);
  }

  Promise promise_of(const Variant& variant) const override {
    if (memory_limit()) return variant.promise;
    Promise without_memory = Promise::must_hold();
    for (const auto& clause : variant.promise.breaks()) {
      if (clause.check != "memory-flat" && clause.check != "serves-under-limit")
        without_memory.also_breaks(clause.check, clause.faults);
    }
    for (const auto& check : checks()) {
      if (variant.promise.is_silent_on(check.name, plan_.fault))
        without_memory.silent_on(check.name);
    }
    return without_memory;
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    return run_with_fault(setting(recipe_of(recipes_, variant.name)), events);
  }

  RoundReport round(const Variant& variant, int index) override {
    return run_timed_round(setting(recipe_of(recipes_, variant.name)), index);
  }

  std::vector<Limit> limits(int index) override {
    return measure_limits(setting(recipes_.front()), index);
  }

 private:
  Setting setting(const Recipe& recipe) const { return {plan_, recipe, sizes_, root_, canary_}; }

  RunPlan plan_;
  std::vector<Recipe> recipes_;
  Sizes sizes_;
  lab::servers::Supervisor supervisor_;
  fs::path root_;
  std::string canary_;
};

}  // namespace

Timing timing(const Flags& flags) {
  Timing timing;  // a fault run lasts until everything has been asked
  timing.steady = flags.quick ? 600ms : 3s;
  timing.round = flags.quick ? 150ms : 250ms;
  timing.rounds = flags.quick ? 1 : 9;
  return timing;
}

std::unique_ptr<Session> open_world(RunPlan& plan, EventStream& events,
                                    std::vector<Recipe> recipes) {
  return std::make_unique<World>(plan, events, std::move(recipes));
}

int serve_variant(const ServeRequest& request, const std::vector<Recipe>& recipes) {
  lab::servers::Supervisor supervisor;
  const fs::path root = supervisor.folder().value() / "root";
  fs::create_directory(root);
  lay_out_traps(root, "what lies outside the root\n");
  make_sparse(root / "large.bin", 1, 4 * kGiB);
  make_file(root / "small.bin", content(1, kMiB));
  const ServeOrders orders{.variant = recipe_of(recipes, request.variant.name).variant,
                           .folder = root.string(),
                           .port = request.port,
                           .patience = {30s, 30s, 60s}};
  lab::net::ServerProcess server({.orders = to_json(orders)});
  fmt::print(stderr,
             "serving {}: /files/small.bin (1 MiB), /files/large.bin (4 GiB, sparse), PUT "
             "/files/NAME; also /, /echo, /products/7, /metrics\n",
             root.string());
  return serve_until_stopped(server);
}

}  // namespace large_file_streaming
