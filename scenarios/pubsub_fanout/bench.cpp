// What the pieces cost, one by one, on Google Benchmark: making a frame, reading frames, a stamp, a call on the bus.

#include <benchmark/benchmark.h>

#include "net/web_socket_frames.h"
#include "variants/event_bus.h"
#include "wire.h"
#include "workload.h"

namespace pubsub_fanout {
namespace {

const std::string& text() {
  static const std::string text = to_text({1, 2, 3, 4}, 120);
  return text;
}

void make_frame(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(wire::message(42, text()));
}
BENCHMARK(make_frame);

/// 64 messages in one piece, as a busy client gets them.
void read_64_frames(benchmark::State& state) {
  std::string bytes;
  for (int i = 0; i < 64; ++i) bytes += wire::message(42, text());
  lab::net::FrameReader reader(lab::net::Reads::as_client, 1024);
  std::uint64_t heard = 0;
  for (auto _ : state) {
    const auto violation = reader.feed(bytes, [&](const lab::net::Message& message) {
      heard += message.payload.size();
      return true;
    });
    benchmark::DoNotOptimize(violation);
  }
  benchmark::DoNotOptimize(heard);
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(read_64_frames);

void check_utf8(benchmark::State& state) {
  lab::net::Utf8Check check;
  for (auto _ : state) benchmark::DoNotOptimize(check.take(text()));
}
BENCHMARK(check_utf8);

void read_stamp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(stamp_of(text()));
}
BENCHMARK(read_stamp);

void publish_on_the_bus_to_500(benchmark::State& state) {
  EventBus bus;
  std::uint64_t heard = 0;
  for (int i = 0; i < 500; ++i)
    bus.subscribe("room", std::to_string(i),
                  [&heard](std::string_view said) { heard += said.size(); });
  for (auto _ : state) bus.publish("room", text());
  benchmark::DoNotOptimize(heard);
  state.SetItemsProcessed(state.iterations() * 500);
}
BENCHMARK(publish_on_the_bus_to_500);

}  // namespace
}  // namespace pubsub_fanout
