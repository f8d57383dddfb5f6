#pragma once
// The nodes of a run, each a process, and between each and Redis a proxy where the run's fault cuts there.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fault_run.h"
#include "faults/proxy.h"
#include "net/server_process.h"

namespace pubsub_fanout {

class Nodes {
 public:
  /// `empty`: what is in Redis goes first. Throws Failure when a node cannot be started.
  Nodes(const Setting& setting, std::size_t count, bool empty);
  ~Nodes();  // kills them
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  std::size_t count() const { return nodes_.size(); }
  std::vector<int> ports() const;
  std::vector<int> processes() const;  // of those that have one
  std::string name(std::size_t node) const;
  lab::net::ServerProcess& process(std::size_t node) { return *nodes_[node]; }

  void kill(std::size_t node);
  /// In the background: until ready() it has no port.
  void start_again(std::size_t node);
  bool ready();  // everything that was started again serves

  /// Connections to Redis are reset and new ones refused, until mend().
  bool can_cut() const { return !proxies_.empty(); }
  void cut(std::size_t node);
  void mend(std::size_t node);

 private:
  std::unique_ptr<lab::net::ServerProcess> start(std::size_t node) const;

  const Setting& setting_;
  std::vector<std::unique_ptr<lab::faults::FaultProxy>> proxies_;
  std::vector<std::unique_ptr<lab::net::ServerProcess>> nodes_;
  std::jthread starter_;
  std::atomic<bool> starting_{false};
  std::unique_ptr<lab::net::ServerProcess> started_;
  std::size_t starting_node_ = 0;
};

}  // namespace pubsub_fanout
