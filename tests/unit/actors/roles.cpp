// The roles that the tests' actors play; which one is to be seen in main().
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <thread>

#include "actors/actor.h"
#include "actors/crash_points.h"
#include "actors/operation_log.h"
#include "actors/role.h"
#include "core/stop.h"

namespace {

using namespace lab;
using namespace lab::actors;

/// Says how long the orders are, and their last character.
int echo(const std::string& orders) {
  tell_run(std::to_string(orders.size()) + (orders.empty() ? '-' : orders.back()));
  return 0;
}

int sleep_for_ever() {
  tell_run("asleep");
  while (true) ::pause();
}

/// Finishes when it is asked to.
int patient() {
  handle_stop_signals();
  tell_run("waiting");
  while (sleep_for(1h)) {
  }
  return stop_requested() ? 0 : 1;
}

/// Orders: FILE POINT PASSING AFTER_MS. Passes "before" and "after" for ever; with a further word it dies at neither of them.
int walker(std::istringstream orders) {
  std::string file, point;
  std::uint64_t passing = 0, after_ms = 0;
  orders >> file >> point >> passing >> after_ms;
  CrashPoints points(file, {"before", "after"});
  if (point != "-") points.die_at(point, passing, std::chrono::milliseconds(after_ms));
  tell_run("walking");
  if (std::string poison; orders >> poison) ::kill(::getpid(), SIGKILL);
  while (true) {
    points.pass("before");
    points.pass("after");
    std::this_thread::sleep_for(100us);
  }
}

/// Orders: FILE. One operation after the other; the answer to key k is k * 10.
int writer(const std::string& file) {
  OperationLog log(file);
  tell_run("writing");
  for (std::int64_t key = 1;; ++key) {
    harness::Operation operation;
    operation.key = key;
    log.invoked(operation);
    operation.value = key * 10;
    log.returned(operation);
  }
}

/// A run with three actors of its own, for a test to kill. Tells their process ids. One was forked by a thread that is gone.
int run_with_actors() {
  std::vector<std::unique_ptr<Actor>> sleepers;
  const auto add = [&] {
    sleepers.push_back(std::make_unique<Actor>(ActorOptions{.role = "sleep"}));
  };
  add();
  add();
  std::thread(add).join();
  std::string pids;
  for (auto& sleeper : sleepers) {
    if (!sleeper->next_line(10s)) return 1;
    pids += std::to_string(sleeper->pid()) + ' ';
  }
  tell_run(pids);
  return sleep_for_ever();
}

int count_cpus() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  tell_run(std::to_string(CPU_COUNT(&set)));
  return sleep_for_ever();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = role_of(argc, argv);
  const std::string orders = take_orders();
  if (role == "echo") return echo(orders);
  if (role == "sleep") return sleep_for_ever();
  if (role == "patient") return patient();
  if (role == "walker") return walker(std::istringstream(orders));
  if (role == "writer") return writer(orders);
  if (role == "run") return run_with_actors();
  if (role == "cpus") return count_cpus();
  if (role == "exit") return std::stoi(orders);
  return 2;
}
