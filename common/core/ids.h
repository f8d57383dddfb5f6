#pragma once
// Identifiers that cannot be mixed up: a ProductId is not an OrderId, though both are 64-bit
// numbers.

#include <compare>
#include <cstdint>
#include <functional>

namespace lab {

template <class Tag>
struct Id {
  std::int64_t value = 0;
  friend auto operator<=>(const Id&, const Id&) = default;
};

}  // namespace lab

template <class Tag>
struct std::hash<lab::Id<Tag>> {
  std::size_t operator()(const lab::Id<Tag>& id) const noexcept {
    return std::hash<std::int64_t>{}(id.value);
  }
};
