#pragma once
// The work: password hashes by libraries.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace thread_pools {

enum class HashKind { argon2id, pbkdf2 };

/// How expensive one hash is made.
struct HashCost {
  HashKind kind = HashKind::argon2id;
  std::uint32_t passes = 1;         // Argon2id's t, PBKDF2's iterations
  std::uint32_t memory_kib = 4096;  // Argon2id's m
};

/// 32 bytes, from a salt of 16 bytes made from the number. Argon2id 1.3 with one lane (RFC 9106, libargon2), or PBKDF2 with
/// HMAC-SHA-256 (RFC 8018, libcrypto). Throws lab::Failure when the library refuses the cost. Thread-safe.
std::string hash_password(std::string_view password, std::uint64_t salt, const HashCost& cost);

/// How long the calling thread has computed since its beginning, by its CPU clock. A system call.
lab::Nanos computed_by_this_thread();

/// PBKDF2 with as many iterations as make this thread compute for about this long, now.
HashCost pbkdf2_taking(lab::Nanos about);

/// How long this thread computes one such hash, now: the shortest of a few. The time without a core is not in it.
lab::Nanos time_one(const HashCost& cost);

/// Computes for about as many steps; a millionth of a second is some hundred. Not optimised away.
void compute(std::uint64_t steps);

/// How many steps make this thread compute for that long, now.
std::uint64_t steps_taking(lab::Nanos about);

}  // namespace thread_pools
