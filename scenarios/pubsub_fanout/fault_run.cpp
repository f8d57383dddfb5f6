#include "fault_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "checks.h"
#include "core/random.h"
#include "core/stop.h"
#include "core_waits.h"
#include "crowd.h"
#include "faults/plan.h"
#include "harness/load.h"
#include "nodes.h"
#include "presence.h"

namespace pubsub_fanout {
namespace {

using namespace lab::harness;
using namespace std::chrono_literals;
using lab::Instant;
using lab::now;

constexpr Nanos kCutLasts = 20ms;
constexpr Nanos kPatience = 15s;  // for the end of everything that is under way
constexpr Nanos kSilent = 1s;     // so long nothing came: then nothing will

class FaultRun {
 public:
  FaultRun(const Setting& setting, EventStream& events)
      : setting_(setting),
        sizes_(setting.sizes),
        events_(events),
        random_(setting.plan.flags.seed),
        redis_(setting.recipe.many_nodes ? setting.backends.redis->used().pid : 0),
        nodes_(setting, setting.recipe.many_nodes ? sizes_.nodes : 1, true),
        ports_(nodes_.ports()),
        square_{commons_, sizes_, ports_, now()} {}

  TrialReport run() {
    gather();
    speak_and_break();
    fall_silent();
    ask_who_is_there();
    core_waits_.look_now(time(), processes());
    part();
    return judge();
  }

 private:
  bool fault_is(std::string_view name) const { return setting_.plan.fault == name; }
  bool node_goes() const {
    return fault_is(kNodeKill) || fault_is(kNodeRestart) || fault_is(kNodePause);
  }
  /// A node that is killed or paused says nothing of its memory, and takes its readers along.
  bool loud() const { return !node_goes(); }
  Nanos time() const { return now() - square_.zero; }
  std::size_t victim() const { return nodes_.count() - 1; }

  template <class Condition>
  bool turn_until(Nanos limit, const Condition& done) {
    const Instant end = now() + limit;
    while (!done() && now() < end && !lab::stop_requested()) turn();
    return done();
  }

  void turn() {
    if (nodes_.ready()) ports_ = nodes_.ports();
    core_waits_.look(time(), processes());
    loop_.turn(5ms);
  }

  /// What everything passes, beside this thread.
  std::vector<int> processes() {
    auto processes = nodes_.processes();
    if (redis_ != 0) processes.push_back(redis_);
    return processes;
  }

  void phase(const char* name) {
    events_.emit("phase", {{"variant", setting_.recipe.variant}, {"name", std::string(name)}});
  }

  void gather() {
    phase("joining");
    evidence_.nodes = nodes_.count();
    evidence_.most_message_bytes = std::max(sizes_.bytes, sizes_.loud_bytes);
    const std::uint32_t readers =
        sizes_.rooms * sizes_.readers + (loud() ? sizes_.loud_readers : 0);
    evidence_.readers.resize(readers);
    for (std::uint32_t i = 0; i < readers; ++i) {
      Reader& reader = evidence_.readers[i];
      const bool in_loud = i >= sizes_.rooms * sizes_.readers;
      reader.room = in_loud ? sizes_.loud_room() : i % sizes_.rooms;
      reader.user = fmt::format("reader-{}", i);
      reader.stalls = in_loud && i + 1 == readers;
      reader.goes_away = !in_loud && i % 6 == 5;
      const std::size_t node = reader.stalls ? 0 : i / sizes_.rooms;
      readers_.push_back(std::make_unique<RoomReader>(square_, node % nodes_.count(), reader));
    }
    for (std::uint32_t room = 0; room < sizes_.rooms; ++room) {
      for (std::uint32_t i = 0; i < sizes_.speakers; ++i)
        add_speaker(room, room * sizes_.speakers + i, i, sizes_.bytes);
    }
    if (loud()) add_speaker(sizes_.loud_room(), 1000, 0, sizes_.loud_bytes);
    for (const auto& reader : readers_) reader->come();
    for (const auto& speaker : speakers_) speaker->come();
    const auto all_there = [&] {
      const auto joined = [](const auto& guest) { return guest->joined(); };
      return std::all_of(readers_.begin(), readers_.end(), joined) &&
             std::all_of(speakers_.begin(), speakers_.end(), joined);
    };
    if (!turn_until(kPatience, all_there))
      throw lab::Failure("not everybody could join " + setting_.recipe.variant);
    for (std::size_t node = 0; node < nodes_.count(); ++node) {
      const auto usage = nodes_.process(node).usage();
      if (!usage) throw lab::Failure(usage.error());
      nodes_.process(node).reset_peak();
      evidence_.memory.push_back({.node = nodes_.name(node),
                                  .before_bytes = usage->resident_bytes,
                                  .peak_bytes = usage->resident_bytes});
    }
  }

  void add_speaker(std::uint32_t room, std::uint32_t speaker, std::size_t node, std::size_t bytes) {
    speakers_.push_back(std::make_unique<RoomSpeaker>(square_, node % nodes_.count(), room, speaker,
                                                      bytes, evidence_.sayings));
  }

  void speak_and_break() {
    phase("speaking");
    const Instant begin = now();
    begin_ = time();
    const auto& timing = setting_.plan.timing;
    std::size_t index = 0;
    for (const auto& speaker : speakers_) {
      const bool in_loud = speaker->room() == sizes_.loud_room();
      const Nanos every = in_loud ? sizes_.loud_every : sizes_.says_every;
      const Nanos until = in_loud ? sizes_.loud_for : timing.load();
      speak(*speaker, begin + every * static_cast<std::int64_t>(index++) / 5, every, begin + until);
    }
    stall(begin);
    std::unique_ptr<lab::faults::FaultPlan> redis = plan_fault(begin);
    turn_until(timing.load() + kPatience, [&] { return now() >= begin + timing.load(); });
    turn_until(kPatience, [&] { return pending_ == 0; });
    if (!redis) return;
    for (const auto& record : redis->finish())
      note_fault(begin_ + record.began, begin_ + record.ended);
  }

  void speak(RoomSpeaker& speaker, Instant when, Nanos every, Instant until) {
    const bool goes_on = speaker.room() == sizes_.loud_room() && stalls_longer_;
    if (when >= until && !goes_on) return;
    loop_.at(when, [this, &speaker, when, every, until] {
      speaker.say();
      speak(speaker, when + every, every, until);
    });
  }

  void stall(Instant begin) {
    if (!loud()) return;
    readers_.back()->read(false);
    evidence_.stall = {begin_, begin_ + sizes_.loud_for};
    ++pending_;
    stalls_longer_ = fault_is(kRedisKill) && setting_.recipe.many_nodes;
    end_stall(begin + sizes_.loud_for, begin + sizes_.loud_for + kPatience);
  }

  /// While Redis is away nothing is acknowledged, and how long it takes to come back is the machine's affair. So the stall
  /// goes on until the reader that does not read is owed what the check asks for.
  void end_stall(Instant when, Instant latest) {
    loop_.at(when, [this, when, latest] {
      note_memory();
      const auto& memory = evidence_.memory.front();
      const bool enough = memory.owed_bytes >= 2 * memory_bound(evidence_, memory);
      if (stalls_longer_ && !enough && when < latest) return end_stall(when + 10ms, latest);
      stalls_longer_ = false;
      evidence_.stall.end = time();
      readers_.back()->read(true);
      --pending_;
    });
  }

  void note_memory() {
    std::uint64_t owed = 0;
    for (const auto& saying : evidence_.sayings)
      owed += saying.room == sizes_.loud_room() && saying.outcome == Outcome::ok ? sizes_.loud_bytes
                                                                                 : 0;
    for (std::size_t node = 0; node < nodes_.count(); ++node) {
      auto& memory = evidence_.memory[node];
      const auto on_node = [&](const auto& guest) {
        return guest->node() % nodes_.count() == node;
      };
      memory.connections =
          static_cast<std::size_t>(std::count_if(readers_.begin(), readers_.end(), on_node) +
                                   std::count_if(speakers_.begin(), speakers_.end(), on_node));
      memory.owed_bytes = node == 0 ? owed : 0;
      if (const auto usage = nodes_.process(node).usage())
        memory.peak_bytes = usage->peak_resident_bytes;
    }
  }

  void note_fault(Nanos from, Nanos to) {
    evidence_.faults.push_back({from, to});
    faults_.push_back({setting_.plan.fault, "", setting_.recipe.variant, lab::milliseconds(from),
                       lab::milliseconds(to), ""});
  }

  std::unique_ptr<lab::faults::FaultPlan> plan_fault(Instant begin) {
    const auto& timing = setting_.plan.timing;
    const auto window = timing.fault_window();
    if (fault_is(kCut)) {
      const auto cuts = static_cast<std::int64_t>(sizes_.cuts);
      for (std::int64_t i = 0; i < cuts; ++i) {
        ++pending_;
        loop_.at(begin + window.begin + window.length() * i / cuts, [this, i] { cut(i); });
      }
    } else if (node_goes()) {
      ++pending_;
      loop_.at(begin + window.begin, [this] { take_node_away(); });
      loop_.at(begin + (fault_is(kNodeRestart) ? window.begin : window.end),
               [this] { bring_node_back(); });
    } else if (fault_is(kRedisKill) && setting_.recipe.many_nodes) {
      auto plan = std::make_unique<lab::faults::FaultPlan>(setting_.backends.redis->faults(timing));
      plan->start(begin);
      return plan;
    }
    return nullptr;
  }

  /// In turns: a node loses Redis, readers lose their node. What is one node has no Redis to lose.
  void cut(std::int64_t number) {
    const Nanos from = time();
    ++cuts_;
    if (nodes_.can_cut() && number % 2 == 0) {
      const std::size_t node = random_.below(nodes_.count());
      nodes_.cut(node);
      loop_.after(kCutLasts, [this, node, from] {
        nodes_.mend(node);
        note_fault(from, time());
        --pending_;
      });
      return;
    }
    const std::size_t first = random_.below(3);
    for (std::size_t i = first; i < readers_.size(); i += 3) {
      if (!readers_[i]->record().stalls && !readers_[i]->record().goes_away) readers_[i]->cut();
    }
    note_fault(from, time());
    --pending_;
  }

  void take_node_away() {
    away_since_ = time();
    if (fault_is(kNodePause)) return nodes_.process(victim()).pause();
    nodes_.kill(victim());
  }

  void bring_node_back() {
    if (fault_is(kNodePause)) {
      nodes_.process(victim()).resume();
    } else {
      nodes_.start_again(victim());
    }
    wait_for_node();
  }

  void wait_for_node() {
    loop_.after(1ms, [this] {
      if (!nodes_.ready()) return wait_for_node();
      away_for_ = time() - away_since_;
      note_fault(away_since_, time());
      if (fault_is(kNodeRestart)) move_in();
      --pending_;
    });
  }

  /// The node that is back gets members at once: readers of the one before it lose their connection, and go on to it.
  void move_in() {
    ports_ = nodes_.ports();
    const std::size_t before = (victim() + nodes_.count() - 1) % nodes_.count();
    for (const auto& reader : readers_) {
      const bool there = reader->joined() && reader->node() % nodes_.count() == before;
      if (there && !reader->record().goes_away) reader->cut();
    }
  }

  /// Each speaker says a last thing; when everybody has heard it, everything has been heard. What the node did not take is not
  /// the last thing.
  void fall_silent() {
    phase("falling silent");
    const auto all_back = [&] {
      return std::all_of(speakers_.begin(), speakers_.end(),
                         [](const auto& speaker) { return speaker->joined(); }) &&
             std::all_of(readers_.begin(), readers_.end(), [](const auto& reader) {
               return reader->joined() || reader->record().goes_away;
             });
    };
    // Who lost its connection meanwhile, because the machine stood still, may have missed the last words.
    const Instant latest = now() + 2 * kPatience;
    do {
      turn_until(kPatience, all_back);
      last_words_ = time();
      for (const auto& speaker : speakers_) {
        speaker->say();
        speak_until_taken(*speaker, now() + kPatience);
      }
      const auto all_heard = [&] {
        return std::all_of(speakers_.begin(), speakers_.end(), [&](const auto& speaker) {
          return speaker->last_was_taken() &&
                 std::all_of(readers_.begin(), readers_.end(),
                             [&](const auto& reader) { return heard(*reader, *speaker); });
        });
      };
      turn_until(kPatience, [&] { return all_heard() || !all_back(); });
      evidence_.quiet = all_back() && (all_heard() || silent_since() > kSilent);
    } while (!evidence_.quiet && now() < latest && !lab::stop_requested());
    evidence_.quiet |= silent_since() > kSilent;
  }

  bool heard(const RoomReader& reader, const RoomSpeaker& speaker) const {
    const bool is_gone = reader.record().goes_away && !reader.joined();
    return reader.record().room != speaker.room() || is_gone ||
           reader.heard_of(speaker.speaker()).value_or(0) + 1 >= speaker.said() ||
           reader.last_gap() >= last_words_;
  }

  void speak_until_taken(RoomSpeaker& speaker, Instant latest) {
    if (speaker.last_was_taken() || now() >= latest) return;
    if (speaker.unanswered() == 0) speaker.say();
    loop_.after(sizes_.try_again, [this, &speaker, latest] { speak_until_taken(speaker, latest); });
  }

  Nanos silent_since() const {
    Nanos last{};
    for (const auto& reader : evidence_.readers) {
      if (!reader.heard.empty()) last = std::max(last, reader.heard.back().at);
    }
    return time() - last;
  }

  void ask_who_is_there() {
    phase("asking who is there");
    evidence_.quiet_since = time();
    evidence_.lease = LeasedPresence::kLease;
    const Nanos latest = time() + kPatience;
    for (std::size_t node = 0; node < nodes_.count(); ++node) {
      for (std::uint32_t room = 0; room < sizes_.rooms; ++room) ask(node, room, latest);
    }
  }

  /// Until it is right, or was asked after all that it may take. Not at once again: who asks without a pause makes the machine late.
  void ask(std::size_t node, std::uint32_t room, Nanos latest) {
    Presence presence;
    presence.node = nodes_.name(node);
    presence.room = room;
    RoomReader* asker = nullptr;
    for (const auto& reader : readers_) {
      if (!reader->joined() || reader->record().room != room) continue;
      presence.there.push_back(reader->record().user);
      if (reader->node() % nodes_.count() == node) asker = reader.get();
    }
    if (!asker) return;
    std::sort(presence.there.begin(), presence.there.end());
    while (true) {
      bool answered = false;
      presence.told.clear();
      presence.asked = time();
      asker->ask([&](auto told) {
        if (told) presence.told = std::move(*told);
        answered = true;
      });
      turn_until(1s, [&] { return answered; });
      asker->ask_no_more();
      if (presence.told == presence.there || had_its_time(presence) || time() > latest ||
          lab::stop_requested())
        break;
      turn_until(sizes_.try_again, [] { return false; });
    }
    evidence_.presence.push_back(std::move(presence));
  }

  /// By what is known so far of how late the machine was.
  bool had_its_time(const Presence& presence) {
    core_waits_.look_now(time(), processes());
    evidence_.hiccup = hiccups_.worst(square_.zero, now());
    evidence_.core_waits = core_waits_.known();
    return presence.asked - evidence_.quiet_since >= presence_bound(evidence_, presence.asked);
  }

  void part() {
    evidence_.end = time();
    for (const auto& reader : readers_) reader->leave();
    for (const auto& speaker : speakers_) speaker->go();
    loop_.turn(1ms);
  }

  TrialReport judge() {
    evidence_.silence = sizes_.silence;
    evidence_.join_limit = sizes_.join_limit;
    evidence_.try_again = sizes_.try_again;
    evidence_.cuts = fault_is(kCut) || node_goes();
    evidence_.kernel_numbers_count = setting_.plan.machine.sanitizers.empty();
    evidence_.hiccup = hiccups_.worst(square_.zero, now());
    evidence_.core_waits = core_waits_.known();
    if (!loud()) evidence_.memory.clear();
    TrialReport report;
    report.checks = judge_all(checks(), evidence_);
    report.faults = faults_;
    add_guards(report);
    add_metrics(report);
    return report;
  }

  void add_guards(TrialReport& report) const {
    const auto counts = count(evidence_);
    report.guards.push_back({"enough was heard", counts.deliveries >= 1000,
                             fmt::format("{} deliveries", counts.deliveries)});
    if (evidence_.cuts)
      report.guards.push_back({"readers lost their connection and came back", counts.cuts_felt > 0,
                               fmt::format("{} times", counts.cuts_felt)});
    if (fault_is(kNodeRestart) && nodes_.count() > 1)
      report.guards.push_back({"the node was back within its lease",
                               away_for_ < LeasedPresence::kLease,
                               fmt::format("after {:.0f} ms", lab::milliseconds(away_for_))});
    if (fault_is(kRedisKill) && setting_.recipe.many_nodes) {
      const auto effect = setting_.backends.redis->effect();
      report.guards.push_back({"Redis was away", effect.felt, effect.detail});
    }
  }

  void add_metrics(TrialReport& report) const {
    const auto counts = count(evidence_);
    const auto add = [&](const char* name, Better better, std::uint64_t value) {
      report.metrics.push_back(single_sample(name, "1", better, static_cast<double>(value)));
    };
    add("deliveries", Better::neither, counts.deliveries);
    add("cuts", Better::neither, cuts_);
    add("connections_lost", Better::neither, counts.cuts_felt);
    add("missing_silently", Better::lower, counts.gaps_silent);
    add("gaps_told", Better::lower, counts.gaps_told);
    add("duplicates", Better::lower, counts.duplicates);
    add("reorderings", Better::lower, counts.reorderings);
    const auto lost = counts.gaps_silent + counts.duplicates + counts.reorderings;
    if (lost == 0 && counts.deliveries > 0)
      report.metrics.push_back(single_sample("wrong_share_upper_95", "1", Better::lower,
                                             rule_of_three(counts.deliveries)));
    std::uint64_t grew = 0;
    for (const auto& node : evidence_.memory)
      grew = std::max(grew, node.peak_bytes - std::min(node.peak_bytes, node.before_bytes));
    if (!evidence_.memory.empty())
      report.metrics.push_back(single_sample("memory_growth_mib", "MiB", Better::lower,
                                             static_cast<double>(grew) / 1024 / 1024));
    report.histograms["delivery"] = delays();
  }

  Histogram delays() const {
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, Nanos> said;
    for (const auto& saying : evidence_.sayings)
      said[{saying.room, saying.speaker, saying.number}] = saying.said;
    Histogram delays;
    for (const auto& reader : evidence_.readers) {
      for (const auto& heard : reader.heard) {
        const auto found = said.find({heard.room, heard.speaker, heard.number});
        if (heard.kind == Heard::Kind::message && found != said.end())
          delays.record(heard.at - found->second);
      }
    }
    return delays;
  }

  const Setting& setting_;
  const Sizes& sizes_;
  EventStream& events_;
  lab::Random random_;
  HiccupMeter hiccups_;
  CoreWaits core_waits_;
  /// Its process, where the variant needs it; one that is started again is not followed.
  const int redis_;
  lab::net::EventLoop loop_;
  lab::net::ClientCommons commons_{loop_};
  Nodes nodes_;
  Ports ports_;
  Square square_;
  Evidence evidence_;
  std::vector<std::unique_ptr<RoomReader>> readers_;
  std::vector<std::unique_ptr<RoomSpeaker>> speakers_;
  std::vector<FaultTime> faults_;
  std::uint64_t cuts_ = 0;
  bool stalls_longer_ = false;  // than was planned
  int pending_ = 0;             // of what was planned and is not over
  Nanos begin_{}, away_since_{}, away_for_{}, last_words_{};
};

}  // namespace

TrialReport run_with_fault(const Setting& setting, EventStream& events) {
  return FaultRun(setting, events).run();
}

}  // namespace pubsub_fanout
