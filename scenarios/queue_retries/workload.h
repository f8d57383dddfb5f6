#pragma once
// Which jobs there are: e-mails and payment captures, a few of them difficult on purpose. The same for all variants.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "job_worker.h"

namespace queue_retries {

/// The kinds of operation in this scenario's histories. key: the job's number; client: the worker, or kProducer.
enum Kind : std::uint16_t {
  kEnqueue = 1,   // until it was accepted or given up
  kClaim = 2,     // value: the epoch. aux: the attempt. Written down after the claim was answered
  kEffect = 3,    // the call to the provider. ok: it had an effect or had had one; fail: it refused
  kComplete = 4,  // value: the epoch. aux: 1 accepted, 0 rejected
  kFail = 5,      // value: the epoch. aux: nanoseconds until the retry. Outcome fail: rejected
};

inline constexpr std::uint32_t kWorkers = 4;
inline constexpr std::uint32_t kProducer = kWorkers;
inline constexpr int kMaxAttempts = 4;
inline constexpr int kMaxStalls = 2;
inline constexpr std::uint64_t kProviderFailsOneIn = 5;

enum class Errand { email, capture };

/// What is difficult about a job.
enum class Trait {
  ordinary,
  hopeless,  // the provider never takes it
  poison,    // kills the process that works on it
  slow,      // takes 2.5 leases
  delayed,   // not before its time
  herd,      // the provider refuses the first attempt of all of them at the same time
};
std::string_view name(Trait trait);

struct Job {
  std::int64_t number = 0;
  Errand errand = Errand::email;
  Trait trait = Trait::ordinary;
  Nanos delay{};

  std::string id() const;  // also the idempotency key of its effect
};

/// "capture|17|ordinary|…"
std::string encode(const Job& job);
/// Nothing for a text that encode() did not make; the delay is not in it.
std::optional<Job> decode(std::string_view payload);

/// Does the provider refuse this attempt? By seed, job and attempt alone.
bool provider_refuses(const Job& job, int attempt, std::uint64_t seed);

struct Plan {
  std::vector<Job> load;  // in the order of their enqueueing, spread over the load
  // Afterwards, each at once, when all before it is done:
  std::vector<Job> herd;
  std::vector<std::vector<Job>> slow;  // others of the same, should the machine stand still for one
};

/// How many jobs a plan has.
struct Amounts {
  std::size_t load = 0;
  std::size_t poison = 1;  // of the load, at its head
  std::size_t herd = 48;
  std::size_t slow = 3;  // each time; none: no times
};

Plan plan_jobs(const Amounts& amounts, Nanos longest_delay, std::uint64_t seed);

}  // namespace queue_retries
