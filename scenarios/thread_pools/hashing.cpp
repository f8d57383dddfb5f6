#include "hashing.h"

#include <argon2.h>
#include <openssl/evp.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "core/random.h"
#include "core/result.h"

namespace thread_pools {
namespace {

using Salt = std::array<std::uint8_t, 16>;

Salt salt_from(std::uint64_t number) {
  Salt salt;
  const std::uint64_t words[] = {lab::mix64(number), lab::mix64(~number)};
  std::memcpy(salt.data(), words, salt.size());
  return salt;
}

std::string argon2id(std::string_view password, const Salt& salt, const HashCost& cost) {
  std::string hash(32, '\0');
  const int status =
      argon2id_hash_raw(cost.passes, cost.memory_kib, 1, password.data(), password.size(),
                        salt.data(), salt.size(), hash.data(), hash.size());
  if (status != ARGON2_OK)
    throw lab::Failure(std::string("Argon2id: ") + argon2_error_message(status));
  return hash;
}

std::string pbkdf2(std::string_view password, const Salt& salt, const HashCost& cost) {
  std::string hash(32, '\0');
  const int done = PKCS5_PBKDF2_HMAC(
      password.data(), static_cast<int>(password.size()), salt.data(),
      static_cast<int>(salt.size()), static_cast<int>(cost.passes), EVP_sha256(),
      static_cast<int>(hash.size()), reinterpret_cast<unsigned char*>(hash.data()));
  if (done != 1) throw lab::Failure("PBKDF2: the library refused");
  return hash;
}

/// The shortest of five, by the thread's own CPU clock: a pool whose threads keep the cores busy already would make it look longer.
template <class Work>
lab::Nanos shortest(Work work) {
  lab::Nanos best = lab::Nanos::max();
  for (int i = 0; i < 5; ++i) {
    const auto begin = computed_by_this_thread();
    work();
    best = std::min(best, computed_by_this_thread() - begin);
  }
  return std::max(best, lab::Nanos(1));
}

}  // namespace

std::string hash_password(std::string_view password, std::uint64_t salt, const HashCost& cost) {
  if (cost.kind == HashKind::argon2id) return argon2id(password, salt_from(salt), cost);
  return pbkdf2(password, salt_from(salt), cost);
}

lab::Nanos computed_by_this_thread() {
  timespec time{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + lab::Nanos(time.tv_nsec);
}

HashCost pbkdf2_taking(lab::Nanos about) {
  HashCost cost{.kind = HashKind::pbkdf2, .passes = 500};
  const double one = static_cast<double>(time_one(cost).count()) / cost.passes;
  cost.passes = static_cast<std::uint32_t>(std::max(1.0, static_cast<double>(about.count()) / one));
  return cost;
}

lab::Nanos time_one(const HashCost& cost) {
  return shortest([&] { (void)hash_password("correct horse", 1, cost); });
}

void compute(std::uint64_t steps) {
  std::uint64_t value = steps;
  for (std::uint64_t i = 0; i < steps; ++i) value = lab::mix64(value + i);
  volatile std::uint64_t sink = value;
  (void)sink;
}

std::uint64_t steps_taking(lab::Nanos about) {
  constexpr std::uint64_t kSteps = 100'000;
  const auto took = shortest([] { compute(kSteps); });
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(kSteps) *
                                                               static_cast<double>(about.count()) /
                                                               static_cast<double>(took.count())));
}

}  // namespace thread_pools
