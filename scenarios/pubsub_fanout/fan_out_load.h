#pragma once
// Load on any WebSocket server that sends each message it gets to everyone who is connected: how many deliveries a second,
// how late, and what they cost. One thread; readers share a buffer, and a delivery is counted without being copied.
//
// Closed loop with a window: the speaker says the next thing as long as no more than `window` are not yet heard by all. So
// a server may put together what waits, as far as the window goes, and never has more than that to keep.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/histogram.h"
#include "net/web_socket_client.h"
#include "workload.h"

namespace pubsub_fanout {

struct FanOutTarget {
  std::string host = "127.0.0.1";
  std::vector<int> ports;  // of the nodes; readers are spread over them
  /// Paths of reader number so-and-so, and of the speaker.
  std::function<std::string(std::uint32_t reader)> reader_path;
  std::string speaker_path;
  std::vector<int> pids;     // of the server, where they are known
  std::uint32_t copies = 1;  // how often each thing said is heard by each
};

struct FanOutResult {
  std::uint64_t deliveries = 0;
  double seconds = 0;
  lab::harness::Histogram delays;             // from saying to hearing, of every 16th reader
  std::optional<double> cpu_ns_per_delivery;  // of the server; the kernel counts in steps of 10 ms
  std::string spoiled;                        // why it counts for nothing
  double per_second() const { return seconds > 0 ? static_cast<double>(deliveries) / seconds : 0; }
};

/// As many descriptors as the kernel lets this process and its children have: thousands of connections need them. How
/// many that are.
std::size_t raise_descriptor_limit();

/// For one thread.
class FanOutLoad {
 public:
  /// Connects everyone. Throws Failure when that does not work out in 30 s, or there are too few descriptors.
  FanOutLoad(FanOutTarget target, FanOut sizes);
  ~FanOutLoad();

  /// After a warm-up of a quarter of the duration. Returns when everything said has been heard by all, which must be so
  /// within five seconds.
  FanOutResult measure(lab::Nanos duration);

 private:
  class Ear;
  class Mouth;
  void settle(lab::Instant limit);
  void say_more();
  void turn();
  std::optional<lab::Nanos> cpu() const;

  const FanOutTarget target_;
  const FanOut sizes_;
  lab::net::EventLoop loop_;
  lab::net::ClientCommons commons_{loop_};
  std::vector<std::unique_ptr<Ear>> ears_;
  std::unique_ptr<Mouth> mouth_;
  std::uint64_t said_ = 0, heard_ = 0;
  std::uint32_t knocks_ = 0, knock_heard_ = 0;  // see settle()
  bool counting_ = false;
  std::string broken_;
  lab::harness::Histogram delays_;
};

}  // namespace pubsub_fanout
