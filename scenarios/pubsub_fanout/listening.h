#pragma once
// What a reader should have heard against what it did: the arithmetic behind the checks.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checks.h"

namespace pubsub_fanout {

/// Everything said, by who said it.
class Sayings {
 public:
  explicit Sayings(const Evidence& evidence);

  const Saying* find(const Heard& heard) const;
  /// Of a room and speaker, by number.
  const std::vector<const Saying*>& of(std::uint32_t room, std::uint32_t speaker) const;
  std::vector<std::uint32_t> speakers(std::uint32_t room) const;

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;
  std::map<Key, std::vector<const Saying*>> by_speaker_;
};

/// A part of what a reader heard.
struct Connection {
  std::size_t first = 0, last = 0;  // of Reader::heard, [first, last)
  Nanos joined{}, ended{};
  bool to_the_end = false;  // it lasted until the run was over
};
std::vector<Connection> connections_of(const Reader& reader);
/// From the first joining to the last word, over all connections.
Connection whole(const Reader& reader);

class Listening {
 public:
  Listening(const Sayings& sayings, const Reader& reader, const Connection& part);

  std::uint64_t deliveries() const { return deliveries_; }
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t reorderings() const { return reorderings_; }
  /// Acknowledged, said after the reader had joined, before the last thing that it heard of that speaker (or at all, if it stayed to
  /// the end), never heard, and no gap was told that holds it.
  std::vector<const Saying*> silently_missing() const;
  const std::string& disorder() const { return disorder_; }  // twice, or in the wrong order
  const std::string& repeated() const { return repeated_; }  // twice

 private:
  void hear(const Heard& heard);
  bool told_of(const Saying& saying) const;

  const Sayings& sayings_;
  const Reader& reader_;
  const Connection part_;
  std::map<std::uint32_t, std::vector<bool>> heard_;  // by speaker and number
  std::map<std::uint32_t, std::uint32_t> highest_;    // by speaker
  std::vector<const Heard*> gaps_;
  std::uint64_t deliveries_ = 0, duplicates_ = 0, reorderings_ = 0;
  std::string disorder_, repeated_;
};

}  // namespace pubsub_fanout
