#include "world.h"

#include <fmt/format.h>

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
    for (const std::uint64_t size : {sizes_.small, kMiddle, sizes_.medium, sizes_.large}) {
      if (digests_.contains(size)) continue;
      make_sparse(root_ / sparse_name(size), 1, size);
      digests_[size] = sha256_of_file(root_ / sparse_name(size));
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
        "ranges, {} aborted transfers, {} stalled and {} vanished clients, {} kills; speed: files "
        "of {}, {} and {} MiB, one connection, the load drops what it receives",
        sizes_.large / kMiB, kMemoryLimit / kMiB, sizes_.ranges, sizes_.aborts, sizes_.stalled,
        sizes_.stalled, sizes_.kills, sizes_.small / kMiB, sizes_.medium / kMiB,
        sizes_.large / kMiB);
  }

  Promise promise_of(const Variant& variant) const override {
    if (memory_limit()) return variant.promise;
    Promise without_memory = Promise::must_hold();
    for (const auto& clause : variant.promise.breaks()) {
      if (clause.check != "memory-flat" && clause.check != "serves-under-limit")
        without_memory.also_breaks(clause.check, clause.faults);
    }
    return without_memory;
  }

  TrialReport trial(const Variant& variant, EventStream& events) override {
    return run_with_fault(setting(recipe_of(recipes_, variant.name)), events);
  }

  RoundReport round(const Variant& variant, int) override {
    return run_timed_round(setting(recipe_of(recipes_, variant.name)));
  }

  std::vector<Limit> limits(int) override { return measure_limits(setting(recipes_.front())); }

 private:
  Setting setting(const Recipe& recipe) const {
    return {plan_, recipe, sizes_, root_, canary_, digests_};
  }

  RunPlan plan_;
  std::vector<Recipe> recipes_;
  Sizes sizes_;
  lab::servers::Supervisor supervisor_;
  fs::path root_;
  std::string canary_;
  std::map<std::uint64_t, std::string> digests_;
};

}  // namespace

Timing timing(const Flags& flags) {
  Timing timing;  // a fault run lasts until everything has been asked
  timing.steady = flags.quick ? 1s : 10s;
  timing.round = flags.quick ? 300ms : 2s;
  timing.rounds = flags.quick ? 1 : 5;
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
