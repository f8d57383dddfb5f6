#include "wire.h"

#include <fmt/format.h>

#include <charconv>

namespace pubsub_fanout::wire {
namespace {

std::string frame(std::string_view text) {
  return lab::net::to_frame(lab::net::Opcode::text, text);
}

std::string word_of(Position position) {
  return position == 0 ? "-" : std::to_string(position);
}

std::string_view take_word(std::string_view& text) {
  const auto space = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

Position take_position(std::string_view& text) {
  const auto word = take_word(text);
  Position position = 0;
  std::from_chars(word.data(), word.data() + word.size(), position);
  return position;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string_view::npos;
}

}  // namespace

std::string joined(std::optional<Bookmark> at) {
  return frame(at ? fmt::format("joined {} {}", at->last, at->epoch) : "joined -");
}

std::string message(Position at, std::string_view text) {
  std::string payload = "m " + word_of(at) + ' ';
  payload += text;
  return frame(payload);
}

std::string gap(Position first, Position last) {
  return frame(fmt::format("gap {} {}", word_of(first), word_of(last)));
}

std::string said(Said what, std::string_view why, Position at) {
  if (what == Said::ok) return frame("ok " + word_of(at));
  return frame(fmt::format("{} {}", what == Said::no ? "no" : "maybe", why));
}

std::string present(const std::optional<std::vector<std::string>>& users) {
  if (!users) return frame("who?");
  std::string text = "who";
  for (const auto& user : *users) text += ' ' + user;
  return frame(text);
}

Line parse(std::string_view payload) {
  Line line;
  const auto word = take_word(payload);
  if (word == "m") {
    line.kind = Line::Kind::message;
    line.first = line.last = take_position(payload);
    line.text = payload;
  } else if (word == "joined") {
    line.kind = Line::Kind::joined;
    line.numbered = !payload.starts_with('-');
    line.first = take_position(payload);
    line.epoch = take_position(payload);
  } else if (word == "gap") {
    line.kind = Line::Kind::gap;
    line.first = take_position(payload);
    line.last = take_position(payload);
  } else if (word == "ok" || word == "no" || word == "maybe") {
    line.kind = Line::Kind::said;
    line.outcome = word == "ok" ? Said::ok : word == "no" ? Said::no : Said::maybe;
    line.text = payload;
    if (word == "ok") line.first = take_position(payload);
  } else if (word == "who?") {
    line.kind = Line::Kind::nobody_knows;
  } else if (word == "who") {
    line.kind = Line::Kind::present;
    line.text = payload;
  }
  return line;
}

std::string to_target(const Address& address) {
  std::string target = fmt::format("/rooms/{}?user={}", address.room, address.user);
  if (address.after)
    target += fmt::format("&after={}&epoch={}", address.after->last, address.after->epoch);
  if (address.mute) target += "&mute=1";
  return target;
}

namespace {

/// What stands before the sign, or all of it; `text` keeps what comes after.
std::string_view cut(std::string_view& text, char sign) {
  const auto end = text.find(sign);
  const auto head = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return head;
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

}  // namespace

std::optional<Address> parse_target(std::string_view target) {
  constexpr std::string_view kRooms = "/rooms/";
  if (!target.starts_with(kRooms)) return std::nullopt;
  const auto question = std::min(target.find('?'), target.size());
  Address address;
  address.room = target.substr(kRooms.size(), question - kRooms.size());
  address.user = "nobody";
  Bookmark after;
  target.remove_prefix(std::min(question + 1, target.size()));
  while (!target.empty()) {
    std::string_view value = cut(target, '&');
    const std::string_view name = cut(value, '=');
    if (name == "user") address.user = value;
    if (name == "mute") address.mute = value == "1";
    if (name == "epoch" && !read_number(value, after.epoch)) return std::nullopt;
    if (name == "after" && !read_number(value, after.last)) return std::nullopt;
    if (name == "after") address.after = after;
  }
  if (address.after) address.after->epoch = after.epoch;
  if (!is_name(address.room) || !is_name(address.user)) return std::nullopt;
  return address;
}

}  // namespace pubsub_fanout::wire
