// `--target ws://HOST:PORT/PATH`: the load of the timed rounds on any server that broadcasts, so that others are measured
// with the same client.

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/stop.h"
#include "harness/exit_status.h"
#include "harness/machine.h"
#include "net/web_socket_handshake.h"
#include "speed.h"

namespace pubsub_fanout {
namespace {

using namespace lab::harness;

struct TargetFlags {
  std::string url;
  FanOut sizes;
  double seconds = 3;
  int rounds = 3;
  std::vector<int> pids;
  bool json = false;
};

void report(const TargetFlags& flags, const FanOutResult& round) {
  const auto us = [&](double part) { return lab::microseconds(round.delays.percentile(part)); };
  if (flags.json) {
    nlohmann::ordered_json line{{"target", flags.url},
                                {"subscribers", flags.sizes.subscribers},
                                {"window", flags.sizes.window},
                                {"message_bytes", flags.sizes.bytes},
                                {"deliveries", round.deliveries},
                                {"deliveries_per_second", round.per_second()},
                                {"delivery_p50_us", us(0.5)},
                                {"delivery_p99_us", us(0.99)},
                                {"delivery_p999_us", us(0.999)}};
    if (round.cpu_ns_per_delivery) line["server_cpu_ns_per_delivery"] = *round.cpu_ns_per_delivery;
    fmt::print("{}\n", line.dump());
    return;
  }
  fmt::print("{:>12.0f} deliveries/s   p50 {:>8.0f} us   p99 {:>8.0f} us   p99.9 {:>8.0f} us",
             round.per_second(), us(0.5), us(0.99), us(0.999));
  if (round.cpu_ns_per_delivery)
    fmt::print("   server CPU {:.0f} ns/delivery", *round.cpu_ns_per_delivery);
  fmt::print("\n");
}

int measure(const TargetFlags& flags) {
  const auto url = lab::net::parse_web_socket_url(flags.url);
  if (!url) {
    fmt::print(stderr, "--target: {}\n", url.error().message);
    return kUsage;
  }
  const auto placement = choose_placement();
  apply_to_this_process(placement);
  FanOutTarget target;
  target.host = url->host == "localhost" ? "127.0.0.1" : url->host;
  target.ports = {url->port};
  target.reader_path = [path = url->target](std::uint32_t) { return path; };
  target.speaker_path = url->target;
  target.pids = flags.pids;
  try {
    FanOutLoad load(target, flags.sizes);
    if (!flags.json)
      fmt::print(
          "{}: {} subscribers, one speaker, {} messages of {} bytes on their way, clients on one "
          "thread of CPU {}\n",
          flags.url, flags.sizes.subscribers, flags.sizes.window, flags.sizes.bytes,
          placement.load.empty() ? 0 : placement.load.front());
    for (int i = 0; i < flags.rounds && !lab::stop_requested(); ++i) {
      const auto round = load.measure(lab::Nanos(static_cast<std::int64_t>(flags.seconds * 1e9)));
      if (lab::stop_requested()) break;
      if (!round.spoiled.empty()) throw lab::Failure(round.spoiled);
      report(flags, round);
    }
  } catch (const lab::Failure& failure) {
    fmt::print(stderr, "--target: {}\n", failure.what());
    return lab::stop_requested() ? kInterrupted : kEnvironmentFailed;
  }
  return lab::stop_requested() ? kInterrupted : kAsPromised;
}

}  // namespace

bool wants_target(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with("--target")) return true;
  }
  return false;
}

int measure_target(int argc, char** argv) {
  lab::handle_stop_signals();
  TargetFlags flags;
  CLI::App app{
      "pubsub-fanout --target: the load of the timed rounds on any WebSocket server that sends "
      "each "
      "message that it gets, in whatever frame around it, to everyone who is connected there"};
  app.add_option("--target", flags.url, "ws://HOST:PORT/PATH; an address or localhost")->required();
  app.add_option("--subscribers", flags.sizes.subscribers, "who hear; default 500")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--window", flags.sizes.window,
                 "messages said and not yet heard by all; default 64")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--bytes", flags.sizes.bytes, "of a message; default 120")
      ->check(CLI::Range(static_cast<int>(kStampBytes), 1'000'000));
  app.add_option("--seconds", flags.seconds, "of a round; default 3")
      ->check(CLI::Range(0.05, 600.0));
  app.add_option("--rounds", flags.rounds, "default 3")->check(CLI::Range(1, 1000));
  app.add_option("--pid", flags.pids, "the server's process, for its CPU time; repeatable");
  app.add_flag("--json", flags.json, "one JSON object a round");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kAsPromised : kUsage;
  }
  return measure(flags);
}

}  // namespace pubsub_fanout
