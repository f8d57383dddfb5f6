#pragma once
// The provider as a worker's process meets it: its books are in a database, where no crash of a worker can reach them.

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>

#include "infra/sql.h"
#include "job_worker.h"
#include "workload.h"

namespace queue_retries {

/// An effect is a row of the table `effects`, whose primary key is the idempotency key. A call without one gets a key of
/// its own. For one thread.
class SqlProvider : public Provider {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Nanos takes{};       // one call
    Nanos slow_takes{};  // one call of a slow job
    std::string caller;  // the worker and its life
    /// Told before a call may have its effect, and what came of it.
    std::function<void(const Job&, int attempt)> begins = [](const Job&, int) {};
    std::function<void(const Result<void>&)> ended = [](const Result<void>&) {};
  };

  static Result<void> create_table(lab::infra::Sql& sql);
  /// How many effects each job had.
  static Result<std::map<std::int64_t, int>> effects(lab::infra::Sql& sql);
  static Result<void> forget(lab::infra::Sql& sql);

  SqlProvider(lab::infra::Sql& sql, Options options) : sql_(sql), options_(std::move(options)) {}

  Result<void> send(std::string_view payload, int attempt) override;
  Result<void> send_once(std::string_view payload, int attempt, std::string_view key) override;

 private:
  Result<void> call(std::string_view payload, int attempt, std::string key);
  Result<void> put_down(const Job& job, const std::string& key);

  lab::infra::Sql& sql_;
  const Options options_;
  std::int64_t calls_ = 0;
};

}  // namespace queue_retries
