// What reads text or bytes from outside: by example, and on a few hundred thousand damaged inputs.
#include <gtest/gtest.h>

#include "core/random.h"
#include "infra/amqp.h"
#include "infra/redis_client.h"
#include "infra/redis_connection.h"
#include "infra/redis_replies.h"
#include "infra/sql.h"
#include "infra/sql_text.h"
#include "infra/url.h"

namespace lab::infra {
namespace {

using namespace std::string_literals;

/// The text with one to four bytes changed, doubled, cut out or put in.
std::string damaged(std::string text, Random& random) {
  for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    const std::size_t at = random.below(text.size() + 1);
    const char byte = static_cast<char>(random.below(256));
    switch (random.below(4)) {
      case 0:
        if (at < text.size()) text[at] = byte;
        break;
      case 1: text.insert(at, 1, byte); break;
      case 2: text.erase(at, 1 + random.below(3)); break;
      default: text.insert(at, text.substr(at, 1 + random.below(8))); break;
    }
  }
  return text;
}

template <class Check>
void on_damaged(std::vector<std::string> seeds, int rounds, const Check& check) {
  Random random(20'250'701);
  for (int i = 0; i < rounds; ++i)
    check(damaged(seeds[random.below(seeds.size())], random), random);
}

TEST(RedisAddress, IsReadFromItsUrl) {
  const auto full = *RedisAddress::parse("redis://ada:p%40ss%3Aword@db.example.com:7000/3");
  EXPECT_EQ(full.host, "db.example.com");
  EXPECT_EQ(full.port, 7000);
  EXPECT_EQ(full.user, "ada");
  EXPECT_EQ(full.password, "p@ss:word");
  EXPECT_EQ(full.database, 3);
  EXPECT_EQ(full.display(), "db.example.com:7000");
  const auto short_form = *RedisAddress::parse("redis://localhost");
  EXPECT_EQ(short_form.port, 6379);
  EXPECT_EQ(short_form.database, 0);
  EXPECT_EQ(RedisAddress::parse("redis://:secret@h")->password, "secret");
  EXPECT_EQ(RedisAddress::parse("redis://[::1]:6380")->display(), "[::1]:6380");
  EXPECT_EQ(RedisAddress::parse("unix:///tmp/a.sock")->unix_socket, "/tmp/a.sock");
}

TEST(RedisAddress, ABadUrlIsInvalidAndItsPasswordIsNotShown) {
  for (const char* url :
       {"", "localhost", "localhost:6379", "http://localhost", "redis:/localhost", "redis://",
        "redis://user:hunter2@", "redis://user:hunter2@host:port", "redis://user:hunter2@host/x",
        "redis://user:hunter2@host/-1", "redis://user:hunter2@host/99999999999",
        "unix://relative/path", "unix://", "redis://user:hunter2@host?colour=red",
        "rediss://user:hunter2@host", "//user:hunter2@host", "user:hunter2@host",
        "redis://user:hunter2@host%zz"}) {
    const auto address = RedisAddress::parse(url);
    ASSERT_FALSE(address) << url;
    EXPECT_EQ(address.error().code, ErrorCode::invalid) << url;
    EXPECT_EQ(address.error().message.find("hunter2"), std::string::npos)
        << address.error().message;
    EXPECT_FALSE(address.error().message.empty());
  }
}

TEST(AmqpAddress, IsReadFromItsUrl) {
  const auto full = *AmqpAddress::parse("amqp://ada:p%40ss%3Aword@mq.example.com:7000/shop");
  EXPECT_EQ(full.host, "mq.example.com");
  EXPECT_EQ(full.port, 7000);
  EXPECT_EQ(full.user, "ada");
  EXPECT_EQ(full.password, "p@ss:word");
  EXPECT_EQ(full.vhost, "shop");
  EXPECT_EQ(full.display(), "mq.example.com:7000/shop");
  for (const char* url : {"amqp://localhost", "amqp://localhost/", "amqp://localhost/%2f"}) {
    const auto short_form = *AmqpAddress::parse(url);
    EXPECT_EQ(short_form.port, 5672) << url;
    EXPECT_EQ(short_form.user, "guest") << url;
    EXPECT_EQ(short_form.vhost, "/") << url;
    EXPECT_EQ(short_form.display(), "localhost:5672") << url;
  }
  EXPECT_EQ(AmqpAddress::parse("amqp://h/a%2fb")->vhost, "a/b");
  EXPECT_EQ(AmqpAddress::parse("amqp://[::1]:6000")->display(), "[::1]:6000");
}

TEST(AmqpAddress, ABadUrlIsInvalidAndItsPasswordIsNotShown) {
  for (const char* url :
       {"", "localhost", "http://localhost", "amqp://", "amqps://user:hunter2@host",
        "amqp://user:hunter2@", "amqp://user:hunter2@host:port", "amqp://user:hunter2@host/a/b",
        "amqp://user:hunter2@host?heartbeat=5", "amqp://user:hunter2@host?socket=/tmp/s"}) {
    const auto address = AmqpAddress::parse(url);
    ASSERT_FALSE(address) << url;
    EXPECT_EQ(address.error().code, ErrorCode::invalid) << url;
    EXPECT_EQ(address.error().message.find("hunter2"), std::string::npos)
        << address.error().message;
    EXPECT_FALSE(address.error().message.empty());
  }
}

TEST(SqlAddress, IsReadFromItsUrl) {
  EXPECT_EQ(SqlAddress::parse("sqlite:///tmp/a.db")->path, "/tmp/a.db");
  const auto maria = *SqlAddress::parse("mysql://lab:s%2Fecret@10.0.0.1/shop");
  EXPECT_EQ(maria.engine, SqlEngine::mariadb);
  EXPECT_EQ(maria.port, 3306);
  EXPECT_EQ(maria.password, "s/ecret");
  EXPECT_EQ(maria.database, "shop");
  EXPECT_EQ(maria.display(), "MariaDB at 10.0.0.1:3306");
  const auto postgres = *SqlAddress::parse("postgres://lab@localhost:5433/shop?socket=/run/pg");
  EXPECT_EQ(postgres.engine, SqlEngine::postgres);
  EXPECT_EQ(postgres.unix_socket, "/run/pg");
  EXPECT_EQ(postgres.display(), "PostgreSQL at /run/pg/.s.PGSQL.5433");
}

TEST(SqlAddress, SurvivesTheWayToItsUrlAndBack) {
  for (const SqlAddress& address :
       {SqlAddress{.engine = SqlEngine::sqlite, .path = "/tmp/a folder/lab%.sqlite"},
        SqlAddress{.engine = SqlEngine::mariadb,
        .unix_socket = "/tmp/a&b #1/my.sock",
        .port = 3307,
        .user = "lab@home",
        .password = "p:a/s?s w%rd",
        .database = "l b"},
        SqlAddress{.engine = SqlEngine::postgres,
        .host = "db.example.com",
        .port = 5433,
        .user = "lab",
        .password = "secret",
        .database = "lab"}}) {
    const auto back = SqlAddress::parse(address.url());
    ASSERT_TRUE(back) << describe(back.error());
    EXPECT_EQ(back->engine, address.engine);
    EXPECT_EQ(back->path, address.path);
    EXPECT_EQ(back->unix_socket, address.unix_socket);
    EXPECT_EQ(back->host, address.host);
    EXPECT_EQ(back->port, address.port);
    EXPECT_EQ(back->user, address.user);
    EXPECT_EQ(back->password, address.password);
    EXPECT_EQ(back->database, address.database);
  }
}

TEST(SqlAddress, ABadUrlIsInvalidAndItsPasswordIsNotShown) {
  for (const char* url :
       {"", "lab.db", "sqlite://lab.db", "sqlite://", "mysql://localhost/lab",
        "mysql://lab:hunter2@localhost", "postgres://lab:hunter2@localhost/",
        "postgresql://lab:hunter2@localhost/lab", "mysql://lab:hunter2@localhost/lab?ssl=on",
        "mysql://lab:hunter2@localhost:99999999/lab"}) {
    const auto address = SqlAddress::parse(url);
    ASSERT_FALSE(address) << url;
    EXPECT_EQ(address.error().code, ErrorCode::invalid);
    EXPECT_EQ(address.error().message.find("hunter2"), std::string::npos)
        << address.error().message;
  }
}

TEST(Url, DamagedOnesNeverThrowAndNeverShowThePassword) {
  on_damaged(
      {"redis://ada:hunter2@host:7000/3", "unix:///tmp/a.sock",
       "mysql://lab:hunter2@[::1]:3306/shop?socket=/x", "postgres://lab:hunter2@host/shop",
       "sqlite:///tmp/a.db"},
      100'000, [](const std::string& url, Random&) {
        for (const Error& error :
             {RedisAddress::parse(url).has_value() ? Error{} : RedisAddress::parse(url).error(),
              SqlAddress::parse(url).has_value() ? Error{} : SqlAddress::parse(url).error()}) {
          if (error.message.empty()) continue;
          ASSERT_EQ(error.code, ErrorCode::invalid) << url;
          // As long as the @ that ends the password is there, and the password nowhere else, it is
          // not shown.
          const bool ended = url.find("hunter2@") != std::string::npos;
          if (ended && url.find("hunter2") == url.rfind("hunter2")) {
            ASSERT_EQ(error.message.find("hunter2"), std::string::npos)
                << url << " → " << error.message;
          }
        }
      });
}

TEST(Placeholders, AreNumberedOutsideQuotesAndComments) {
  EXPECT_EQ(numbered_placeholders("SELECT * FROM t WHERE a = ? AND b = ?"),
            "SELECT * FROM t WHERE a = $1 AND b = $2");
  EXPECT_EQ(numbered_placeholders("SELECT '?', \"?\", `?`, ? -- ?\n, ? /* ? */, ?"),
            "SELECT '?', \"?\", `?`, $1 -- ?\n, $2 /* ? */, $3");
  EXPECT_EQ(numbered_placeholders("'it''s ?' ?"), "'it''s ?' $1");
  EXPECT_EQ(numbered_placeholders("? 'open ?"), "$1 'open ?");
  EXPECT_EQ(numbered_placeholders("1-?/?"), "1-$1/$2");
  EXPECT_EQ(numbered_placeholders(""), "");
}

TEST(Placeholders, DamagedStatementsKeepEverythingElse) {
  on_damaged({"SELECT 'a?', ? FROM t -- x?\nWHERE a = ? /* ? */",
              "INSERT INTO t VALUES (?, '?''?', \"?\", ?)"},
             100'000, [](const std::string& statement, Random&) {
               if (statement.find('$') != std::string::npos) return;  // then there is no way back
               // Writing the `?` back over every $number must give the statement again.
               const std::string numbered = numbered_placeholders(statement);
               std::string back;
               for (std::size_t i = 0; i < numbered.size(); ++i) {
                 if (numbered[i] != '$') {
                   back += numbered[i];
                   continue;
                 }
                 back += '?';
                 const std::size_t digits =
                     std::to_string(std::count(back.begin(), back.end(), '?')).size();
                 i += std::min(digits, numbered.size() - i - 1);
               }
               // A `?` inside quotes stays and is counted here too, so compare with numbers of one
               // digit only.
               if (std::count(statement.begin(), statement.end(), '?') < 10) {
                 ASSERT_EQ(back, statement);
               }
             });
}

TEST(Statements, AreSplitAtTheirSemicolons) {
  using Statements = std::vector<std::string>;
  EXPECT_EQ(split_statements("A; B ;\n"), (Statements{"A", "B"}));
  EXPECT_EQ(split_statements("-- why; not\nA ';' ; /* ; */ B \";\""),
            (Statements{"A ';'", "B \";\""}));
  EXPECT_EQ(split_statements(" ;; -- nothing\n;"), Statements{});
  EXPECT_EQ(split_statements("A -- the end"), Statements{"A"});
}

TEST(Statements, DamagedScriptsLoseNothingButCommentsAndBlanks) {
  on_damaged({"CREATE TABLE a (b BIGINT, c VARCHAR(9) DEFAULT ';'); -- x\nCREATE INDEX i ON a (b);",
              "/* a;b */ A; B 'x"},
             100'000, [](const std::string& script, Random&) {
               std::size_t size = 0;
               for (const std::string& statement : split_statements(script)) {
                 ASSERT_FALSE(statement.empty());
                 size += statement.size();
               }
               ASSERT_LE(size, script.size() + 8);  // a comment leaves one blank
             });
}

std::vector<Result<RedisReply>> replies_to(std::string_view bytes,
                                           Result<std::size_t>* outcome = nullptr) {
  RedisReplies reader;
  std::vector<Result<RedisReply>> replies;
  if (reader.feed(bytes)) {
    auto taken = reader.take(100, replies);
    if (outcome) *outcome = std::move(taken);
  }
  return replies;
}

TEST(RedisReplies, AreReadFromBytes) {
  const auto replies = replies_to("+OK\r\n:-7\r\n$-1\r\n$3\r\na");
  ASSERT_EQ(replies.size(), 3u) << "the fourth has not come whole";
  EXPECT_EQ(replies[0]->type, RedisReply::Type::status);
  EXPECT_EQ(replies[1]->integer, -7);
  EXPECT_TRUE(replies[2]->is_nil());
  const auto rest = replies_to("$3\r\na\0b\r\n*2\r\n:1\r\n*0\r\n*-1\r\n-ERR no\r\n$0\r\n\r\n"s);
  ASSERT_EQ(rest.size(), 5u);
  EXPECT_EQ(rest[0]->text, std::string("a\0b", 3));
  EXPECT_EQ(rest[1]->items.size(), 2u);
  EXPECT_EQ(rest[1]->items[1].type, RedisReply::Type::array);
  EXPECT_TRUE(rest[2]->is_nil());
  EXPECT_EQ(rest[3].error().native_code, "ERR");
  EXPECT_EQ(rest[4]->text, "");
}

TEST(RedisReplies, CutAnywhereGiveTheSame) {
  const std::string bytes = "*3\r\n$5\r\nhello\r\n:42\r\n*1\r\n+OK\r\n$-1\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    RedisReplies reader;
    std::vector<Result<RedisReply>> replies;
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(0, cut)));
    const auto first = reader.take(10, replies);
    ASSERT_TRUE(first);
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(cut)));
    ASSERT_TRUE(reader.take(10, replies));
    ASSERT_EQ(replies.size(), 2u) << cut;
    EXPECT_EQ(replies[0]->items[2].items[0].text, "OK");
    EXPECT_FALSE(reader.leftover());
  }
}

TEST(RedisReplies, AnAbsurdLengthTakesNoMemory) {
  for (const char* bytes : {"*2147483647\r\n", "*100000000\r\n", "*1000000000000\r\n"}) {
    Result<std::size_t> outcome = std::size_t{0};
    EXPECT_TRUE(replies_to(bytes, &outcome).empty());
    ASSERT_FALSE(outcome) << bytes;
    EXPECT_EQ(outcome.error().code, ErrorCode::protocol);
  }
}

TEST(RedisReplies, DamagedBytesAreRepliesOrAProtocolError) {
  on_damaged({"+OK\r\n:42\r\n$5\r\nhello\r\n", "*3\r\n$3\r\nfoo\r\n$-1\r\n:7\r\n",
              "-ERR wrong\r\n*2\r\n*1\r\n:1\r\n*0\r\n", "$20\r\n01234567890123456789\r\n+PONG\r\n"},
             200'000, [](const std::string& bytes, Random& random) {
               RedisReplies reader;
               std::vector<Result<RedisReply>> replies;
               // In two slices, cut at random.
               const std::size_t cut = random.below(bytes.size() + 1);
               for (const std::string_view slice :
                    {std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)}) {
                 if (!reader.feed(slice)) return;
                 const auto taken = reader.take(100, replies);
                 if (taken) continue;
                 ASSERT_EQ(taken.error().code, ErrorCode::protocol);
                 ASSERT_EQ(taken.error().happened, Happened::unknown);
                 return;
               }
             });
}

TEST(RedisCommands, AreWrittenWithTheirLengths) {
  std::string requests;
  const std::string_view words[] = {"SET", "key", std::string_view("a\0b", 3), ""};
  append_command(requests, words);
  EXPECT_EQ(requests, "*4\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\na\0b\r\n$0\r\n\r\n"s);
}

}  // namespace
}  // namespace lab::infra
