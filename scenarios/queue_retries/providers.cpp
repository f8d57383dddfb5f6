#include "providers.h"

#include <fmt/format.h>
#include <signal.h>

#include <thread>

namespace queue_retries {

using lab::ErrorCode;
using lab::Happened;
using lab::infra::as_integer;
using namespace std::chrono_literals;

Result<void> SqlProvider::create_table(lab::infra::Sql& sql) {
  auto made = sql.run(
      "CREATE TABLE IF NOT EXISTS effects (idempotency_key VARCHAR(64) NOT NULL PRIMARY KEY,"
      " job BIGINT NOT NULL)");
  if (!made) return made.error();
  return {};
}

Result<std::map<std::int64_t, int>> SqlProvider::effects(lab::infra::Sql& sql) {
  auto found = sql.run("SELECT job, COUNT(*) FROM effects GROUP BY job");
  if (!found) return found.error();
  std::map<std::int64_t, int> counts;
  for (const auto& row : found->rows)
    counts[as_integer(row[0])] = static_cast<int>(as_integer(row[1]));
  return counts;
}

Result<void> SqlProvider::forget(lab::infra::Sql& sql) {
  auto gone = sql.run("DELETE FROM effects");
  if (!gone) return gone.error();
  return {};
}

Result<void> SqlProvider::send(std::string_view payload, int attempt) {
  return call(payload, attempt, fmt::format("none:{}:{}", options_.caller, ++calls_));
}

Result<void> SqlProvider::send_once(std::string_view payload, int attempt, std::string_view key) {
  return call(payload, attempt, std::string(key));
}

Result<void> SqlProvider::call(std::string_view payload, int attempt, std::string key) {
  const auto job = decode(payload);
  if (!job) return Error{ErrorCode::invalid, Happened::no, "550 this is no job"};
  if (job->trait == Trait::poison) raise(SIGKILL);
  if (job->trait != Trait::herd)
    std::this_thread::sleep_for(job->trait == Trait::slow ? options_.slow_takes : options_.takes);
  options_.begins(*job, attempt);
  Result<void> sent = Error{ErrorCode::refused, Happened::no, "451 try again later"};
  if (!provider_refuses(*job, attempt, options_.seed)) sent = put_down(*job, key);
  options_.ended(sent);
  return sent;
}

/// A key that is there already is a success without an effect.
Result<void> SqlProvider::put_down(const Job& job, const std::string& key) {
  for (int tries = 1;; ++tries) {
    auto put =
        sql_.run("INSERT INTO effects (idempotency_key, job) VALUES (?, ?)", {key, job.number});
    if (put) return {};
    auto known = sql_.run("SELECT job FROM effects WHERE idempotency_key = ?", {key});
    if (known && !known->rows.empty()) return {};
    if (put.error().code != ErrorCode::conflict || tries == 10) return put.error();
    std::this_thread::sleep_for(tries * 1ms);
  }
}

}  // namespace queue_retries
