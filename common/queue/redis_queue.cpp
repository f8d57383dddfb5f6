#include "queue/redis_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "queue/job_checks.h"
#include "queue/redis_queue_scripts.h"

namespace lab::queue {
namespace {

using infra::RedisReply;

constexpr Nanos kLongestSleep = 1s;  // a token may die with the worker that took it
constexpr std::size_t kFieldsOfHistory = 5;

std::string text(std::int64_t number) {
  return std::to_string(number);
}

/// Rounded up, so that nothing is due too early.
std::string milliseconds_text(Nanos duration) {
  return text(std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Nanos{})).count());
}

std::int64_t number(const RedisReply& reply) {
  if (reply.type == RedisReply::Type::integer) return reply.integer;
  std::int64_t value = 0;
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), value);
  return value;
}

std::vector<bool> answers(const RedisReply& reply) {
  std::vector<bool> all;
  all.reserve(reply.items.size());
  for (const auto& item : reply.items) all.push_back(number(item) == 1);
  return all;
}

/// True for all of them but these, counted from one.
std::vector<bool> all_but(const RedisReply& exceptions, std::size_t count) {
  std::vector<bool> all(count, true);
  for (const auto& place : exceptions.items)
    all.at(static_cast<std::size_t>(number(place)) - 1) = false;
  return all;
}

/// What the books say of it, if there is nothing but its payload to say.
bool is_plain(const NewJob& job) {
  return job.priority == Priority::normal && job.delay <= Nanos{} && job.max_attempts == 0 &&
         job.order_key.empty();
}

void add_receipts(std::vector<std::string>& arguments, std::span<const Receipt> receipts) {
  for (const auto& receipt : receipts) {
    arguments.push_back(receipt.id);
    arguments.push_back(text(receipt.epoch));
  }
}

JobState state_from(std::string_view word) {
  for (const auto state : {JobState::waiting, JobState::active, JobState::delayed,
                           JobState::completed, JobState::failed, JobState::dead}) {
    if (name(state) == word) return state;
  }
  return JobState::waiting;
}

}  // namespace

ScriptedQueue::ScriptedQueue(infra::Redis& redis, infra::Redis& waiting, RedisQueueOptions options,
                             const RedisQueueScripts& scripts, std::optional<Nanos> lease)
    : redis_(redis),
      waiting_(waiting),
      options_(std::move(options)),
      scripts_(scripts),
      lease_(lease),
      key_("{queue:" + options_.name + "}"),
      wake_(key_ + ":wake") {}

RedisJobQueue::RedisJobQueue(infra::Redis& redis, infra::Redis& waiting, RedisQueueOptions options)
    : ScriptedQueue(redis, waiting, std::move(options), RedisQueueScripts::on_lists()) {}

StreamsQueue::StreamsQueue(infra::Redis& redis, infra::Redis& waiting, Nanos lease,
                           RedisQueueOptions options)
    : ScriptedQueue(redis, waiting, std::move(options), RedisQueueScripts::on_streams(), lease) {}

Result<RedisReply> ScriptedQueue::run(const infra::RedisScript& script, const Words& arguments) {
  const std::string_view keys[] = {key_};
  const std::vector<std::string_view> views(arguments.begin(), arguments.end());
  return redis_.eval(script, keys, views, {.timeout = options_.call_timeout});
}

Result<std::vector<bool>> ScriptedQueue::run_answers(const infra::RedisScript& script,
                                                     const Words& arguments) {
  auto reply = run(script, arguments);
  if (!reply) return reply.error();
  return answers(*reply);
}

Result<std::vector<Enqueued>> ScriptedQueue::enqueue(std::span<const NewJob> jobs) {
  std::vector<Enqueued> enqueued;
  enqueued.reserve(jobs.size());
  Words arguments;
  arguments.reserve(jobs.size() * 2);
  for (const auto& job : jobs) {
    if (auto fine = check_job(job); !fine) return fine.error();
    enqueued.push_back({job.id.empty() ? made_id() : job.id});
    arguments.push_back(enqueued.back().id);
    arguments.push_back((is_plain(job) ? "-" : "+") + job.payload);
    if (is_plain(job)) continue;
    arguments.insert(arguments.end(),
                     {text(static_cast<int>(job.priority)), milliseconds_text(job.delay),
                      text(job.max_attempts), job.order_key});
  }
  if (jobs.empty()) return enqueued;
  auto known = run(scripts_.enqueue, arguments);
  if (!known) return known.error();
  const auto added = all_but(*known, enqueued.size());
  for (std::size_t i = 0; i < enqueued.size(); ++i) enqueued[i].added = added[i];
  return enqueued;
}

Result<void> ScriptedQueue::check_lease(Nanos lease) const {
  if (!lease_ || *lease_ == lease) return {};
  return Error{ErrorCode::invalid, Happened::no, "a queue on streams has one lease for all jobs"};
}

Result<void> ScriptedQueue::check(const Claim& claim) const {
  if (auto fine = check_claim(claim); !fine) return fine;
  if (lease_ && claim.worker == ":")
    return Error{ErrorCode::invalid, Happened::no,
                 "a worker of a queue on streams is not called :"};
  return check_lease(claim.lease);
}

/// Claims like "3:email-17"; records like "-payload"; and for each record that begins with a '+' its failures, stalls,
/// attempts limit and order key.
std::vector<LeasedJob> ScriptedQueue::leased_jobs(std::span<RedisReply> claims,
                                                  std::span<RedisReply> records,
                                                  std::span<RedisReply> more, Instant until) const {
  std::vector<LeasedJob> jobs;
  jobs.reserve(claims.size());
  auto next = more.begin();
  for (std::size_t i = 0; i < claims.size(); ++i) {
    LeasedJob& job = jobs.emplace_back();
    const std::string& claim = claims[i].text;
    const std::string& record = records[i].text;
    std::from_chars(claim.data(), claim.data() + claim.size(), job.epoch);
    job.id.assign(claim, claim.find(':') + 1);
    job.payload.assign(record, 1);
    job.max_attempts = options_.rules.max_attempts;
    job.lease_until = until;
    if (record.front() == '-') continue;
    const auto& fields = (next++)->items;
    job.attempt = static_cast<int>(number(fields[0])) + 1;
    job.stalls = static_cast<int>(number(fields[1]));
    if (const auto max = static_cast<int>(number(fields[2])); max > 0) job.max_attempts = max;
    job.order_key = fields[3].text;
  }
  return jobs;
}

Result<ScriptedQueue::Turned> ScriptedQueue::turn(std::span<const Receipt> receipts,
                                                  const Claim& claim) {
  Words arguments{text(static_cast<std::int64_t>(options_.rules.keep_completed)),
                  text(static_cast<std::int64_t>(receipts.size()))};
  arguments.reserve(receipts.size() * 2 + 5);
  add_receipts(arguments, receipts);
  arguments.insert(arguments.end(), {claim.worker, text(static_cast<std::int64_t>(claim.most)),
                                     milliseconds_text(claim.lease)});
  const Instant until = now() + claim.lease;
  auto reply = run(scripts_.turn, arguments);
  if (!reply) return reply.error();
  Turned turned;
  auto& items = reply->items;
  turned.turn.completed = all_but(items[0], receipts.size());
  if (items.size() > 1 && number(items[1]) >= 0)
    turned.next_due = std::chrono::milliseconds(number(items[1]));
  if (items.size() > 4)
    turned.turn.claimed = leased_jobs(items[2].items, items[3].items, items[4].items, until);
  return turned;
}

/// Somebody may have taken the token, or the job that it told of: the caller looks and waits again.
Result<void> ScriptedQueue::wait_for_wake_up(Nanos limit) {
  limit = std::clamp<Nanos>(limit, 1ms, kLongestSleep);
  infra::RedisCall call;
  if (options_.call_timeout) call.timeout = *options_.call_timeout + limit;
  auto woken = waiting_.command({"BLPOP", wake_, fmt::format("{:.3f}", seconds(limit))}, call);
  if (!woken) return woken.error();
  return {};
}

Result<JobQueue::Turn> ScriptedQueue::complete_and_claim(std::span<const Receipt> receipts,
                                                         const Claim& claim) {
  if (auto fine = check(claim); !fine) return fine.error();
  const Instant end = now() + claim.wait;
  auto first = turn(receipts, claim);
  if (!first) return first.error();
  Turned turned = std::move(*first);
  while (turned.turn.claimed.empty() && now() < end) {
    const Nanos left = end - now();
    // An error here is none of the completion's, which is done: the next call will meet it again.
    if (!wait_for_wake_up(turned.next_due ? std::min(left, *turned.next_due) : left)) break;
    auto again = turn({}, claim);
    if (!again) break;
    turned.turn.claimed = std::move(again->turn.claimed);
    turned.next_due = again->next_due;
  }
  return std::move(turned.turn);
}

Result<std::vector<LeasedJob>> ScriptedQueue::claim(const Claim& claim) {
  if (auto fine = check(claim); !fine) return fine.error();
  for (const Instant end = now() + claim.wait;;) {
    auto turned = turn({}, claim);
    if (!turned) return turned.error();
    const Nanos left = end - now();
    if (!turned->turn.claimed.empty() || left <= Nanos{}) return std::move(turned->turn.claimed);
    auto woken = wait_for_wake_up(turned->next_due ? std::min(left, *turned->next_due) : left);
    if (!woken) return woken.error();
  }
}

Result<std::vector<bool>> ScriptedQueue::complete(std::span<const Receipt> receipts) {
  auto turned = turn(receipts, {.worker = {}, .most = 0});
  if (!turned) return turned.error();
  return std::move(turned->turn.completed);
}

Result<std::vector<bool>> ScriptedQueue::fail(std::span<const Failed> failures) {
  Words arguments{text(options_.rules.max_attempts)};
  for (const auto& failed : failures) {
    add_receipts(arguments, std::span(&failed.receipt, 1));
    arguments.push_back(failed.error);
    arguments.push_back(milliseconds_text(failed.retry_after));
  }
  return run_answers(scripts_.fail, arguments);
}

Result<std::vector<bool>> ScriptedQueue::renew(std::span<const Receipt> receipts, Nanos lease) {
  if (auto fine = check_lease(lease); !fine) return fine.error();
  Words arguments{milliseconds_text(lease)};
  add_receipts(arguments, receipts);
  return run_answers(scripts_.renew, arguments);
}

Result<std::vector<bool>> ScriptedQueue::give_back(std::span<const Receipt> receipts) {
  Words arguments;
  add_receipts(arguments, receipts);
  return run_answers(scripts_.give_back, arguments);
}

Result<bool> ScriptedQueue::progress(const Receipt& receipt, int percent) {
  auto reply = run(scripts_.progress, {receipt.id, text(receipt.epoch), text(percent)});
  if (!reply) return reply.error();
  return number(*reply) == 1;
}

Result<std::size_t> ScriptedQueue::sweep(std::size_t most) {
  auto reply =
      run(scripts_.sweep, {text(static_cast<std::int64_t>(most)), text(options_.rules.max_stalls),
                           milliseconds_text(lease_.value_or(Nanos{}))});
  if (!reply) return reply.error();
  return static_cast<std::size_t>(number(*reply));
}

JobStatus ScriptedQueue::status_from(std::span<RedisReply> fields) const {
  JobStatus status;
  status.state = state_from(fields[2].text);
  status.attempts =
      static_cast<int>(number(fields[3])) + (status.state == JobState::completed ? 1 : 0);
  status.stalls = static_cast<int>(number(fields[4]));
  const auto max = static_cast<int>(number(fields[5]));
  status.max_attempts = max > 0 ? max : options_.rules.max_attempts;
  status.epoch = number(fields[6]);
  status.progress_percent = static_cast<int>(number(fields[7]));
  const std::span history(fields[8].items);
  for (std::size_t i = 0; i + kFieldsOfHistory <= history.size(); i += kFieldsOfHistory) {
    status.history.push_back({.epoch = number(history[i]),
                              .attempt = static_cast<int>(number(history[i + 1])),
                              .worker = history[i + 2].text,
                              .what = history[i + 3].text,
                              .error = history[i + 4].text});
    if (status.history.back().what == "failed") status.last_error = status.history.back().error;
  }
  return status;
}

Result<JobStatus> ScriptedQueue::status(const std::string& id) {
  auto reply = run(scripts_.status, {id});
  if (!reply) return reply.error();
  if (reply->is_nil()) return no_such_job(id);
  return status_from(reply->items);
}

Result<Counts> ScriptedQueue::counts() {
  auto reply = run(scripts_.counts, {});
  if (!reply) return reply.error();
  const auto& n = reply->items;
  return Counts{{JobState::waiting, number(n[0])}, {JobState::active, number(n[1])},
                {JobState::delayed, number(n[2])}, {JobState::completed, number(n[3])},
                {JobState::failed, number(n[4])},  {JobState::dead, number(n[5])}};
}

Result<std::vector<DeadLetter>> ScriptedQueue::dead_letters(std::size_t most) {
  auto reply = run(scripts_.dead, {text(static_cast<std::int64_t>(most))});
  if (!reply) return reply.error();
  std::vector<DeadLetter> letters;
  letters.reserve(reply->items.size());
  for (auto& item : reply->items)
    letters.push_back({item.items[0].text, item.items[1].text, status_from(item.items)});
  return letters;
}

Result<bool> ScriptedQueue::redrive(const std::string& id) {
  auto reply = run(scripts_.redrive, {id});
  if (!reply) return reply.error();
  return number(*reply) == 1;
}

}  // namespace lab::queue
