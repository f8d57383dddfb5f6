#include "history.h"

#include <charconv>

namespace pubsub_fanout {
namespace {

// Rooms have names of their users' making: none is to meet a key of ours.
constexpr std::string_view kStream = "room:", kEpoch = "epoch:";

std::string stream_of(const std::string& room) {
  return std::string(kStream) + room;
}

std::string epoch_of(const std::string& room) {
  return std::string(kEpoch) + room;
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// "0-17" is 17.
Position place_of(std::string_view id) {
  const auto dash = id.find('-');
  return dash == std::string_view::npos ? 0 : number_of(id.substr(dash + 1));
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
    : loop_(loop),
      rooms_(rooms),
      on_new_(std::move(on_new)),
      commands_(loop, address, std::move(on_up)),
      news_(loop, address, [this] { follow(); }) {}

void History::append(const std::string& room, std::string_view text,
                     std::function<void(Said, std::string_view why, Position at)> answer) {
  commands_.say({"XADD", stream_of(room), "MAXLEN", "~", kKept, "0-*", "m", text},
                [answer = std::move(answer)](const auto& added) {
                  if (added) return answer(Said::ok, "", place_of(added->text));
                  answer(said_of(added), added.error().message, 0);
                });
}

void History::read(const std::string& room, Position after, Entries entries) {
  commands_.send({"XRANGE", stream_of(room), "(0-" + std::to_string(after), "+", "COUNT", kAtOnce},
                 [entries = std::move(entries)](const auto& list) {
                   if (!list) return entries(std::nullopt);
                   entries(entries_of(*list));
                 });
}

void History::stands(const std::string& room, std::function<void(std::optional<Bookmark>)> answer) {
  const Epoch drawn = new_epoch();  // in force if there is none yet
  const auto epoch = std::make_shared<std::optional<Epoch>>();
  commands_.send({"SET", epoch_of(room), std::to_string(drawn), "NX", "GET"},
                 [epoch, drawn](const auto& old) {
                   if (old) *epoch = old->is_nil() ? drawn : number_of(old->text);
                 });
  commands_.send({"XREVRANGE", stream_of(room), "+", "-", "COUNT", "1"},
                 [epoch, answer = std::move(answer)](const auto& list) {
                   if (!list || !*epoch) return answer(std::nullopt);
                   const auto entries = entries_of(*list);
                   answer(Bookmark{**epoch, entries.empty() ? 0 : entries.front().place});
                 });
}

Epoch History::begin_epoch(const std::string& room) {
  const Epoch drawn = new_epoch();
  commands_.send({"SET", epoch_of(room), std::to_string(drawn)});
  return drawn;
}

void History::follow() {
  if (waiting_ || !news_.up()) return;
  std::vector<std::string> keys, ids;
  for (const auto& [name, room] : rooms_.all()) {
    if (!room.following) continue;
    keys.push_back(stream_of(name));
    ids.push_back("0-" + std::to_string(room.last));
  }
  if (keys.empty()) return;
  std::vector<std::string_view> words{"XREAD", "COUNT", kAtOnce, "BLOCK", kBlockMs, "STREAMS"};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), ids.begin(), ids.end());
  waiting_ = true;
  news_.send(words, [this](const auto& reply) { on_entries(reply); });
}

void History::on_entries(const lab::Result<RedisLink::Reply>& reply) {
  waiting_ = false;
  if (!reply) {  // the link is down, and follows again when it is up; or Redis could not do it now
    loop_.cancel(again_);
    again_ = loop_.after(kTryAgain, [this] { follow(); });
    return;
  }
  for (const auto& stream : reply->items) {
    if (stream.items.size() == 2)
      on_new_(rooms_[stream.items[0].text.substr(kStream.size())], entries_of(stream.items[1]));
  }
  follow();
}

}  // namespace pubsub_fanout
