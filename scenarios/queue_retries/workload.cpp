#include "workload.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "core/random.h"

namespace queue_retries {
namespace {

constexpr std::array kTraits{Trait::ordinary, Trait::hopeless, Trait::poison,
                             Trait::slow,     Trait::delayed,  Trait::herd};
constexpr int kSlowParts = 3;

std::string_view next_field(std::string_view& rest) {
  const auto end = rest.find('|');
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return field;
}

}  // namespace

std::string_view name(Trait trait) {
  switch (trait) {
    case Trait::ordinary: return "ordinary";
    case Trait::hopeless: return "hopeless";
    case Trait::poison: return "poison";
    case Trait::slow: return "slow";
    case Trait::delayed: return "delayed";
    case Trait::herd: return "herd";
  }
  return "?";
}

std::string Job::id() const {
  return fmt::format("{}-{}", errand == Errand::email ? "email" : "capture", number);
}

std::string encode(const Job& job) {
  const std::string what = job.errand == Errand::email
                               ? fmt::format("to=user{}@example.com", job.number)
                               : fmt::format("payment={}", job.number);
  return fmt::format("{}|{}|{}|{}", job.errand == Errand::email ? "email" : "capture", job.number,
                     name(job.trait), what);
}

std::optional<Job> decode(std::string_view payload) {
  Job job;
  const auto errand = next_field(payload);
  const auto number = next_field(payload);
  const auto trait = next_field(payload);
  if (errand != "email" && errand != "capture") return std::nullopt;
  job.errand = errand == "email" ? Errand::email : Errand::capture;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), job.number);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  for (const auto known : kTraits) {
    if (name(known) != trait) continue;
    job.trait = known;
    return job;
  }
  return std::nullopt;
}

bool provider_refuses(const Job& job, int attempt, std::uint64_t seed) {
  switch (job.trait) {
    case Trait::hopeless: return true;
    case Trait::herd: return attempt == 1;
    case Trait::poison:
    case Trait::slow: return false;
    case Trait::ordinary:
    case Trait::delayed: break;
  }
  const auto of_job = lab::mix64(seed ^ lab::mix64(static_cast<std::uint64_t>(job.number)));
  return lab::mix64(of_job + static_cast<std::uint64_t>(attempt)) % kProviderFailsOneIn == 0;
}

Plan plan_jobs(const Amounts& amounts, Nanos longest_delay, std::uint64_t seed) {
  lab::Random random = lab::Random(seed).stream(1);
  Plan plan;
  std::int64_t number = 0;
  const auto next = [&](Trait trait) {
    ++number;
    return Job{number, number % 2 == 0 ? Errand::capture : Errand::email, trait, {}};
  };
  while (plan.load.size() < amounts.poison) plan.load.push_back(next(Trait::poison));
  while (plan.load.size() < amounts.load) {
    const auto dice = random.below(100);
    Job job = next(dice < 1 ? Trait::hopeless : dice < 6 ? Trait::delayed : Trait::ordinary);
    if (job.trait == Trait::delayed)
      job.delay = Nanos(
          static_cast<std::int64_t>(random.unit() * static_cast<double>(longest_delay.count())));
    plan.load.push_back(job);
  }
  while (plan.herd.size() < amounts.herd) plan.herd.push_back(next(Trait::herd));
  for (int part = 0; amounts.slow > 0 && part < kSlowParts; ++part) {
    auto& slow = plan.slow.emplace_back();
    while (slow.size() < amounts.slow) slow.push_back(next(Trait::slow));
  }
  return plan;
}

}  // namespace queue_retries
