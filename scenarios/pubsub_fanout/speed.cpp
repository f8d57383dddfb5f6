#include "speed.h"

#include <fmt/format.h>

#include "event_bus_run.h"
#include "nodes.h"
#include "wire.h"

namespace pubsub_fanout {
namespace {

using namespace lab::harness;

constexpr std::size_t kSpeedNodes = 2;  // of variants that can be many

std::string bare_name(std::uint32_t copies) {
  return fmt::format("bare-{}", copies);
}

class BareWrites : public ChatNode {
 public:
  explicit BareWrites(std::uint32_t copies) : copies_(copies) {}
  void join(const MemberPtr& member) override {
    if (!member->mute) listeners_.push_back(member);
  }
  void leave(const MemberPtr& member) override { std::erase(listeners_, member); }
  void say(const MemberPtr&, std::string_view text) override {
    const std::string frame = wire::message(0, text);
    std::string bytes;
    for (std::uint32_t i = 0; i < copies_; ++i) bytes += frame;
    for (const auto& listener : listeners_) listener->write(bytes);
  }
  void who(const MemberPtr&) override {}

 private:
  const std::uint32_t copies_;
  std::vector<MemberPtr> listeners_;
};

}  // namespace

std::vector<Recipe> bare_recipes() {
  const FanOut sizes;
  std::vector<Recipe> recipes;
  for (const std::uint32_t copies : {1u, sizes.window})
    recipes.push_back({bare_name(copies), [copies](NodeTools) -> std::unique_ptr<ChatNode> {
                         return std::make_unique<BareWrites>(copies);
                       }});
  return recipes;
}

FanOut choose_fan_out(const RunPlan& plan) {
  FanOut sizes;
  if (plan.flags.quick) sizes.subscribers = 100;
  return sizes;
}

struct Speed::Rig {
  Nodes nodes;
  FanOutLoad load;

  Rig(const Setting& setting, std::uint32_t copies)
      : nodes(setting, setting.recipe.many_nodes ? kSpeedNodes : 1, false),
        load(target(setting, nodes, copies), sizes_of(setting, copies)) {}

  static FanOut sizes_of(const Setting& setting, std::uint32_t copies) {
    FanOut sizes = choose_fan_out(setting.plan);
    sizes.window = std::max(2u, sizes.window / copies);
    return sizes;
  }

  static FanOutTarget target(const Setting& setting, Nodes& nodes, std::uint32_t copies) {
    const std::string room = "speed-" + setting.recipe.variant;  // the others' nodes stay, too
    FanOutTarget target;
    target.ports = nodes.ports();
    target.reader_path = [room](std::uint32_t reader) {
      return wire::to_target({room, fmt::format("reader-{}", reader), std::nullopt, false});
    };
    target.speaker_path = wire::to_target({room, "speaker", std::nullopt, true});
    for (std::size_t i = 0; i < nodes.count(); ++i) target.pids.push_back(nodes.process(i).pid());
    target.copies = copies;
    return target;
  }
};

Speed::Speed() = default;
Speed::~Speed() = default;

Speed::Rig& Speed::rig(const Setting& setting, std::uint32_t copies) {
  auto& rig = rigs_[setting.recipe.variant];
  if (!rig) rig = std::make_unique<Rig>(setting, copies);
  return *rig;
}

/// A rig that was spoiled goes: what comes late would be counted in its next round.
FanOutResult Speed::measure(const Setting& setting, std::uint32_t copies) {
  auto measured = rig(setting, copies).load.measure(setting.plan.timing.round);
  if (!measured.spoiled.empty()) rigs_.erase(setting.recipe.variant);
  return measured;
}

RoundReport Speed::round(const Setting& setting) {
  if (!setting.recipe.make) return bus_round(setting);
  RoundReport report;
  const auto measured = measure(setting, 1);
  report.spoiled = measured.spoiled;
  const auto add = [&](const char* name, const char* unit, Better better, double value) {
    report.metrics.push_back({name, unit, better, {value}});
  };
  add("deliveries_per_second", "1/s", Better::higher, measured.per_second());
  add("delivery_p50_us", "us", Better::lower, lab::microseconds(measured.delays.percentile(0.5)));
  add("delivery_p99_us", "us", Better::lower, lab::microseconds(measured.delays.percentile(0.99)));
  if (measured.cpu_ns_per_delivery)
    add("node_cpu_ns_per_delivery", "ns", Better::lower, *measured.cpu_ns_per_delivery);
  report.histograms["delivery"] = measured.delays;
  return report;
}

std::vector<Limit> Speed::limits(const Setting& setting) {
  std::vector<Limit> limits;
  for (const auto& recipe : bare_recipes()) {
    const bool one = recipe.variant == bare_name(1);
    const FanOut sizes = choose_fan_out(setting.plan);
    const Setting bare{setting.plan, setting.backends, recipe, setting.sizes};
    const auto measured = measure(bare, one ? 1 : sizes.window);
    if (!measured.spoiled.empty()) continue;
    limits.push_back(
        {.name = one ? fmt::format("a write for each delivery, to {} sockets", sizes.subscribers)
                     : fmt::format("bare writes to {} sockets, {} prepared frames each",
                                   sizes.subscribers, sizes.window),
         .metric = "deliveries_per_second",
         .unit = "1/s",
         .samples = {measured.per_second()},
         .best = {},
         .ratio = {},
         .comparison = one});
  }
  return limits;
}

}  // namespace pubsub_fanout
