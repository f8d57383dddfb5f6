// What badly behaved clients do, and files that do not stay what they were.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <semaphore>
#include <thread>

#include "probes.h"

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;
using lab::Instant;
using lab::now;
using lab::net::ServerProcess;
using namespace std::chrono_literals;

// After clients that went away. What has not changed for that long, does not change any more: who notices a reset, needs no
// time to close.
constexpr Nanos kSettled = 1s, kLongest = 3s;
constexpr std::uint64_t kUploadSize = kMiB;

struct Held {
  std::size_t descriptors = 0, threads = 0;
  bool within(const Held& other) const {
    return descriptors <= other.descriptors && threads <= other.threads;
  }
  bool operator==(const Held&) const = default;
};

Held held_by(const ServerProcess& server) {
  const auto usage = server.usage();
  return usage ? Held{usage->open_descriptors, usage->threads} : Held{};
}

/// How it ended, if it has: a server that is dead holds nothing, either.
std::string death_of(ServerProcess& server) {
  const auto ending = server.ended();
  return ending ? describe(*ending) : std::string();
}

template <class Condition>
bool eventually(Nanos limit, const Condition& condition) {
  for (const Instant end = now() + limit; now() < end; std::this_thread::sleep_for(2ms)) {
    if (condition()) return true;
  }
  return condition();
}

/// Connections that were closed take the server a moment more: the least that it holds within a while.
Held at_rest(const ServerProcess& server) {
  Held least = held_by(server);
  eventually(25ms, [&] {
    const Held next = held_by(server);
    least = {std::min(least.descriptors, next.descriptors), std::min(least.threads, next.threads)};
    return false;
  });
  return least;
}

/// What it holds when that is no more than before, or does not change any more.
Held settled(const ServerProcess& server, const Held& before) {
  Held held = held_by(server);
  Instant since = now();
  eventually(kLongest, [&] {
    const Held next = held_by(server);
    if (next != held) since = now();
    held = next;
    return held.within(before) || now() - since > kSettled;
  });
  return held;
}

/// Asks for a large file, or sends the first part of one, and goes no further.
std::unique_ptr<Client> begin(int port, const std::string& name, bool upload, std::size_t first) {
  auto client = std::make_unique<Client>(port, Client::Options{.receive_buffer = 64 * 1024});
  std::vector<char> bytes(first);
  if (upload) {
    client->ask("PUT", "/files/" + name, fmt::format("Content-Length: {}\r\n", kUploadSize));
    client->send(bytes);
  } else {
    client->ask("GET", "/files/" + name);
    if (first > 0) client->receive_some(bytes);
  }
  return client;
}

}  // namespace

Absent stop_in_the_middle(ServerProcess& server, const std::string& name, bool upload,
                          std::size_t clients, bool gone) {
  Absent absent{.how = gone     ? "is gone"
                       : upload ? "sends nothing more"
                                : "reads nothing",
                .clients = clients};
  const Held before = at_rest(server);
  std::vector<std::unique_ptr<Client>> all;
  for (std::size_t i = 0; i < clients; ++i)
    all.push_back(begin(server.port(), upload ? fmt::format("absent-{}.bin", i) : name, upload,
                        upload || gone ? 16 * 1024 : 0));
  Instant stopped = now();
  Held during;
  eventually(200ms, [&] {
    during = held_by(server);
    return during.descriptors >= before.descriptors + clients;
  });
  absent.seen =
      std::min(clients, during.descriptors - std::min(during.descriptors, before.descriptors));
  if (gone) {
    stopped = now();
    for (auto& client : all) client->reset();
  }
  if (eventually(kFreedWatched - (now() - stopped), [&] { return held_by(server).within(before); }))
    absent.freed = now() - stopped;
  absent.death = death_of(server);
  return absent;
}

Aborts abort_many(ServerProcess& server, const fs::path& root, const std::string& name, bool upload,
                  std::size_t count) {
  const Held before = at_rest(server);
  for (std::size_t i = 0; i < count; ++i)
    begin(server.port(), upload ? "aborted.bin" : name, upload, 4 * 1024)->reset();
  const Held after = settled(server, before);
  return {.count = count,
          .death = death_of(server),
          .descriptors_before = before.descriptors,
          .descriptors_after = after.descriptors,
          .threads_before = before.threads,
          .threads_after = after.threads,
          .left_behind = unfinished_uploads(root)};
}

struct SlowReader::State {
  Client client;
  Transfer transfer;
  std::atomic<bool> hurry{false};
  std::binary_semaphore begun{0};
  std::thread thread;

  explicit State(int port) : client(port, {.receive_buffer = 64 * 1024}) {}

  void read(const fs::path& file) {
    Comparison comparison(file);
    bool first = true;
    client.ask("GET", "/files/" + file.filename().string());
    const Answer answer = client.receive([&](std::span<const char> bytes) {
      comparison.take(bytes);
      if (std::exchange(first, false)) begun.release();
      if (!hurry) std::this_thread::sleep_for(10ms);  // its pace
      return true;
    });
    if (first) begun.release();
    transfer.status = answer.status;
    transfer.ending = answer.ending;
    transfer.waited = answer.waited;
    comparison.tell(transfer);
  }
};

SlowReader::SlowReader(int port, const fs::path& file) : state_(std::make_unique<State>(port)) {
  state_->transfer.size = fs::file_size(file);
  state_->thread = std::thread([this, file] { state_->read(file); });
  state_->begun.acquire();
}

SlowReader::~SlowReader() {
  (void)finish();
}

Transfer SlowReader::finish() {
  state_->hurry = true;
  if (state_->thread.joinable()) state_->thread.join();
  return state_->transfer;
}

Truncation shrink_while_sent(ServerProcess& server, const fs::path& file, std::uint64_t version,
                             std::uint64_t size, bool gzip) {
  Truncation cut{.gzip = gzip, .size = size, .cut_to = size / 8};
  make_file(file, content(version, size));
  Client client(server.port(), {.limit = 3s, .receive_buffer = 64 * 1024});
  Follower follower(version);
  std::uint64_t received = 0;
  Gunzip gunzip([&](auto bytes) { return follower.take(bytes); });
  client.ask("GET", "/files/" + file.filename().string(), gzip ? "Accept-Encoding: gzip\r\n" : "");
  const Answer answer = client.receive([&](std::span<const char> bytes) {
    received += bytes.size();
    if (cut.before == 0 && received >= kMiB) {  // the rest waits, for this reader
      cut.before = received;
      if (::truncate(file.c_str(), static_cast<off_t>(cut.cut_to)) != 0) return false;
    }
    return gzip ? gunzip.add(bytes) : follower.take(bytes);
  });
  cut.received = follower.offset();
  cut.bytes_right = follower.right();
  // Compressed, what came as a whole must also be one.
  cut.ending = gzip && answer.ending == Ending::complete && !gunzip.complete() ? Ending::none
                                                                               : answer.ending;
  if (cut.ending != Ending::complete) cut.server = server.actor().wait(100ms);
  return cut;
}

}  // namespace large_file_streaming
