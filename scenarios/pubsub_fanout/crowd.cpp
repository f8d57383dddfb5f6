#include "crowd.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "wire.h"

namespace pubsub_fanout {

using lab::harness::Outcome;
using lab::net::Message;
using lab::net::Opcode;
using lab::net::WebSocketClient;

std::string name_of_room(std::uint32_t room) {
  return fmt::format("room-{}", room);
}

Guest::Guest(Square& square, std::size_t node) : square_(square), node_(node) {}

Guest::~Guest() {
  square_.commons.loop.cancel(timer_);
}

void Guest::come() {
  if (gone_) return;
  square_.commons.loop.cancel(timer_);
  since_ = last_word_ = lab::now();
  const int port = square_.ports[node_ % square_.ports.size()];
  if (port == 0) {
    timer_ = square_.commons.loop.after(square_.sizes.try_again, [this] { try_next(); });
    return;
  }
  client_ = std::make_unique<WebSocketClient>(
      square_.commons,
      lab::net::ClientOptions{.port = port, .target = target(), .receive_buffer = receive_buffer()},
      *this);
  look_after();
}

void Guest::go() {
  gone_ = true;
  square_.commons.loop.cancel(timer_);
  if (client_) client_->close();
  joined_ = false;
}

void Guest::cut() {
  if (!client_ || gone_) return;
  client_->reset();
  lose(false);
}

void Guest::on_message(WebSocketClient&, const Message& message) {
  has_heard();
  if (message.opcode == Opcode::text) on_line(message.payload);
}

void Guest::on_closed(WebSocketClient&, std::uint16_t, std::string_view) {
  lose(false);
}

/// Its connection is lost when nothing comes for so long, not even a pong; a try is given up when it takes too long.
void Guest::look_after() {
  timer_ = square_.commons.loop.after(square_.sizes.silence / 4, [this] {
    const lab::Instant now = lab::now();
    const bool late = joined_ ? listens() && now - last_word_ > square_.sizes.silence
                              : now - since_ > square_.sizes.join_limit;
    if (late) {
      client_->reset();
      return lose(true);
    }
    if (client_->waiting_bytes() == 0) client_->send(Opcode::ping, "");
    look_after();
  });
}

void Guest::lose(bool silent) {
  square_.commons.loop.cancel(timer_);
  if (gone_) return;
  const bool was_joined = std::exchange(joined_, false);
  on_lost(silent);
  if (was_joined && !comes_back()) {
    gone_ = true;
    return;
  }
  // The first try at once, the others with a pause: a node that is down refuses at once, too.
  timer_ = square_.commons.loop.after(was_joined ? Nanos{} : square_.sizes.try_again,
                                      [this] { try_next(); });
}

void Guest::try_next() {
  ++node_;
  come();
}

RoomReader::RoomReader(Square& square, std::size_t node, Reader& record)
    : Guest(square, node), record_(record) {}

std::string RoomReader::target() const {
  return wire::to_target({name_of_room(record_.room), record_.user, place_, false});
}

std::optional<std::uint32_t> RoomReader::heard_of(std::uint32_t speaker) const {
  const auto found = heard_of_.find(speaker);
  return found == heard_of_.end() ? std::nullopt : std::optional(found->second);
}

void RoomReader::read(bool on) {
  reading_ = on;
  has_heard();
  if (client_) client_->read(on);
}

void RoomReader::ask(Told told) {
  told_ = std::move(told);
  if (client_) client_->send(Opcode::text, "/who");
}

void RoomReader::leave() {
  if (joined()) record_.heard.push_back({.kind = Heard::Kind::left, .at = time()});
  go();
}

void RoomReader::on_line(std::string_view payload) {
  const wire::Line line = wire::parse(payload);
  Heard heard{.place = line.first, .last = line.last, .at = time()};
  switch (line.kind) {
    case wire::Line::Kind::joined:
      heard.kind = Heard::Kind::joined;
      if (line.numbered) place_ = Bookmark{line.epoch, line.first};
      has_joined();
      break;
    case wire::Line::Kind::message: {
      heard.kind = Heard::Kind::message;
      const auto stamp = stamp_of(line.text).value_or(Stamp{~0u, ~0u, 0, 0});
      heard.room = stamp.room;
      heard.speaker = stamp.speaker;
      heard.number = stamp.number;
      if (line.first != 0 && place_) place_->last = line.first;
      heard_of_[heard.speaker] = heard.number;
      break;
    }
    case wire::Line::Kind::gap:
      heard.kind = Heard::Kind::gap;
      if (line.last != 0 && place_) place_->last = line.last;
      last_gap_ = heard.at;
      break;
    case wire::Line::Kind::present: {
      std::istringstream words{std::string(line.text)};
      std::vector<std::string> users(std::istream_iterator<std::string>(words), {});
      std::sort(users.begin(), users.end());
      if (auto told = std::exchange(told_, nullptr)) told(std::move(users));
      return;
    }
    case wire::Line::Kind::nobody_knows:
      if (auto told = std::exchange(told_, nullptr)) told(std::nullopt);
      return;
    default: return;
  }
  record_.heard.push_back(heard);
}

void RoomReader::on_lost(bool silent) {
  if (!record_.heard.empty() && record_.heard.back().kind != Heard::Kind::lost)
    record_.heard.push_back({.kind = Heard::Kind::lost, .silent = silent, .at = time()});
}

RoomSpeaker::RoomSpeaker(Square& square, std::size_t node, std::uint32_t room,
                         std::uint32_t speaker, std::size_t bytes, std::vector<Saying>& record)
    : Guest(square, node), room_(room), speaker_(speaker), bytes_(bytes), record_(record) {}

std::string RoomSpeaker::target() const {
  return wire::to_target(
      {name_of_room(room_), fmt::format("speaker-{}", speaker_), std::nullopt, true});
}

void RoomSpeaker::say() {
  if (!joined()) return;
  const lab::Instant now = lab::now();
  const Stamp stamp{room_, speaker_, said_++, now.time_since_epoch().count()};
  last_was_taken_ = false;
  unanswered_.push_back(record_.size());
  record_.push_back({.room = room_,
                     .speaker = speaker_,
                     .number = stamp.number,
                     .said = now - square_.zero,
                     .answered = {}});
  client_->send(Opcode::text, to_text(stamp, bytes_));
}

void RoomSpeaker::on_line(std::string_view payload) {
  const wire::Line line = wire::parse(payload);
  if (line.kind == wire::Line::Kind::joined) has_joined();
  if (line.kind != wire::Line::Kind::said || unanswered_.empty()) return;
  Saying& saying = record_[unanswered_.front()];
  unanswered_.pop_front();
  saying.answered = time();
  saying.place = line.outcome == Said::ok ? line.first : 0;
  saying.outcome = line.outcome == Said::ok   ? Outcome::ok
                   : line.outcome == Said::no ? Outcome::fail
                                              : Outcome::info;
  last_was_taken_ = unanswered_.empty() && saying.outcome == Outcome::ok;
}

void RoomSpeaker::on_lost(bool) {
  unanswered_.clear();  // they may have been heard, or may yet be
}

}  // namespace pubsub_fanout
