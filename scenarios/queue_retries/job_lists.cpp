#include "job_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace queue_retries {
namespace {

using lab::infra::RedisReply;
using lab::infra::SqlConnection;
using namespace std::chrono_literals;

constexpr Nanos kLook = 5ms;

std::string to_text(const JobList::Item& item) {
  return std::to_string(item.attempt) + " " + item.payload;
}

JobList::Item from_text(const std::string& text) {
  const auto space = text.find(' ');
  return {text.substr(space + 1), std::stoi(text.substr(0, space))};
}

class RedisList : public JobList {
 public:
  RedisList(lab::infra::Redis& redis, lab::infra::Redis& waiting, std::string key)
      : redis_(redis), waiting_(waiting), key_(std::move(key)) {}

  Result<void> push(const std::vector<Item>& items) override {
    std::vector<std::string> texts;
    for (const auto& item : items) texts.push_back(to_text(item));
    std::vector<std::string_view> words{"RPUSH", key_};
    words.insert(words.end(), texts.begin(), texts.end());
    auto pushed = redis_.command(words);
    if (!pushed) return pushed.error();
    return {};
  }

  Result<std::vector<Item>> pop(std::size_t most, Nanos wait) override {
    auto popped = redis_.command({"LPOP", key_, std::to_string(most)});
    if (!popped) return popped.error();
    if (popped->is_nil() && wait > Nanos{}) {
      popped = waiting_.command({"BLPOP", key_, fmt::format("{:.3f}", lab::seconds(wait))});
      if (!popped) return popped.error();
      if (!popped->is_nil()) popped->items.erase(popped->items.begin());  // the key's name
    }
    std::vector<Item> items;
    for (const auto& item : popped->items) items.push_back(from_text(item.text));
    return items;
  }

  Result<std::size_t> size() override {
    auto length = redis_.command({"LLEN", key_});
    if (!length) return length.error();
    return static_cast<std::size_t>(length->integer);
  }

 private:
  lab::infra::Redis& redis_;
  lab::infra::Redis& waiting_;
  const std::string key_;
};

class SqlList : public JobList {
 public:
  SqlList(lab::infra::Sql& sql, std::string name) : sql_(sql), name_(std::move(name)) {}

  Result<void> push(const std::vector<Item>& items) override {
    return sql_.transaction([&](SqlConnection& connection) -> Result<void> {
      for (const auto& item : items) {
        auto pushed = connection.run(
            "INSERT INTO job_list (list, place, item)"
            " SELECT ?, COALESCE(MAX(place), 0) + 1, ? FROM job_list",
            {name_, to_text(item)});
        if (!pushed) return pushed.error();
      }
      return {};
    });
  }

  Result<std::vector<Item>> pop(std::size_t most, Nanos wait) override {
    for (const auto end = lab::now() + wait;;) {
      auto items = pop_now(most);
      if (!items || !items->empty() || lab::now() >= end) return items;
      std::this_thread::sleep_for(kLook);
    }
  }

  Result<std::size_t> size() override {
    auto counted = sql_.run("SELECT COUNT(*) FROM job_list WHERE list = ?", {name_});
    if (!counted) return counted.error();
    return static_cast<std::size_t>(lab::infra::as_integer(counted->rows.front()[0]));
  }

 private:
  Result<std::vector<Item>> pop_now(std::size_t most) {
    std::vector<Item> items;
    auto done = sql_.transaction([&](SqlConnection& connection) -> Result<void> {
      items.clear();
      auto found =
          connection.run("SELECT place, item FROM job_list WHERE list = ? ORDER BY place LIMIT ?",
                         {name_, static_cast<std::int64_t>(most)});
      if (!found) return found.error();
      for (const auto& row : found->rows) {
        auto gone = connection.run("DELETE FROM job_list WHERE place = ?", {row[0]});
        if (!gone) return gone.error();
        items.push_back(from_text(std::get<std::string>(row[1])));
      }
      return {};
    });
    if (!done) return done.error();
    return items;
  }

  lab::infra::Sql& sql_;
  const std::string name_;
};

}  // namespace

std::unique_ptr<JobList> redis_list(lab::infra::Redis& redis, lab::infra::Redis& waiting,
                                    std::string key) {
  return std::make_unique<RedisList>(redis, waiting, std::move(key));
}

std::unique_ptr<JobList> sql_list(lab::infra::Sql& sql, std::string name) {
  return std::make_unique<SqlList>(sql, std::move(name));
}

Result<void> create_list_table(lab::infra::Sql& sql) {
  auto made = sql.run(
      "CREATE TABLE IF NOT EXISTS job_list (place BIGINT NOT NULL PRIMARY KEY,"
      " list VARCHAR(64) NOT NULL, item TEXT NOT NULL)");
  if (!made) return made.error();
  return {};
}

}  // namespace queue_retries
