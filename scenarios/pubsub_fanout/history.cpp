#include "history.h"

#include <charconv>

namespace pubsub_fanout {
namespace {

/// "0-17" is 17.
Position place_of(std::string_view id) {
  const auto dash = id.find('-');
  Position place = 0;
  if (dash != std::string_view::npos)
    std::from_chars(id.data() + dash + 1, id.data() + id.size(), place);
  return place;
}

/// [[id, [m, text]], …]
std::vector<Entry> entries_of(const RedisLink::Reply& list) {
  std::vector<Entry> entries;
  for (const auto& item : list.items) {
    if (item.items.size() != 2 || item.items[1].items.size() != 2) continue;
    entries.push_back({place_of(item.items[0].text), item.items[1].items[1].text});
  }
  return entries;
}

}  // namespace

History::History(lab::net::EventLoop& loop, const lab::infra::RedisAddress& address, Rooms& rooms,
                 std::function<void()> on_up,
                 std::function<void(Room& room, const std::vector<Entry>&)> on_new)
    : rooms_(rooms),
      on_new_(std::move(on_new)),
      commands_(loop, address, std::move(on_up)),
      news_(loop, address, [this] { follow(); }) {}

void History::append(const std::string& room, std::string_view text,
                     std::function<void(Said, std::string_view why)> answer) {
  commands_.send({"XADD", room, "MAXLEN", "~", kKept, "0-*", "m", text},
                 [answer = std::move(answer)](const auto& added) {
                   answer(said_of(added), added ? "" : added.error().message);
                 });
}

void History::read(const std::string& room, Position after, Entries entries) {
  commands_.send({"XRANGE", room, "(0-" + std::to_string(after), "+", "COUNT", kAtOnce},
                 [entries = std::move(entries)](const auto& list) {
                   if (!list) return entries(std::nullopt);
                   entries(entries_of(*list));
                 });
}

void History::last(const std::string& room, std::function<void(std::optional<Position>)> answer) {
  commands_.send({"XREVRANGE", room, "+", "-", "COUNT", "1"},
                 [answer = std::move(answer)](const auto& list) {
                   if (!list) return answer(std::nullopt);
                   const auto entries = entries_of(*list);
                   answer(entries.empty() ? 0 : entries.front().place);
                 });
}

void History::follow() {
  std::vector<std::string> ids;
  std::vector<std::string_view> words{"XREAD", "COUNT", kAtOnce, "BLOCK", kBlockMs, "STREAMS"};
  for (const auto& [name, room] : rooms_.all()) {
    if (room.following) words.push_back(name);
  }
  for (const auto& [name, room] : rooms_.all()) {
    if (room.following) ids.push_back("0-" + std::to_string(room.last));
  }
  if (ids.empty() || waiting_ || !news_.up()) return;
  words.insert(words.end(), ids.begin(), ids.end());
  waiting_ = true;
  news_.send(words, [this](const auto& reply) { on_entries(reply); });
}

void History::on_entries(const lab::Result<RedisLink::Reply>& reply) {
  waiting_ = false;
  if (!reply) return;  // the link is down, and follows again when it is up
  for (const auto& stream : reply->items) {
    if (stream.items.size() == 2)
      on_new_(rooms_[stream.items[0].text], entries_of(stream.items[1]));
  }
  follow();
}

}  // namespace pubsub_fanout
