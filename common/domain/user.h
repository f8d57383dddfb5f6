#pragma once
// A customer of the shop.

#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"

namespace lab::domain {

using UserId = Id<struct UserTag>;

struct User {
  UserId id;
  std::string email;  // unique
  std::string name;
  friend bool operator==(const User&, const User&) = default;
};

/// Enough of an e-mail address to be one: something, one @, a domain with a dot, lower case, no
/// blanks, at most 254 characters (RFC 5321). Lower case, so that an address is the same text on
/// engines that compare without regard to case and on those that do not. `invalid` says what is
/// wrong.
Result<void> check_email(std::string_view email);

}  // namespace lab::domain
