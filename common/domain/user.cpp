#include "domain/user.h"

#include <fmt/format.h>

#include <algorithm>

namespace lab::domain {
namespace {

bool plain(char c) {
  return c > ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z');
}

Error bad_email(std::string_view email, std::string_view why) {
  return {ErrorCode::invalid, Happened::no, fmt::format("e-mail address \"{}\": {}", email, why)};
}

}  // namespace

Result<void> check_email(std::string_view email) {
  if (email.size() > 254) return bad_email(email, "longer than 254 characters");
  if (!std::all_of(email.begin(), email.end(), plain)) {
    return bad_email(email, "only lower-case ASCII without blanks is taken");
  }
  if (std::count(email.begin(), email.end(), '@') != 1)
    return bad_email(email, "needs exactly one @");
  const std::string_view local = email.substr(0, email.find('@'));
  const std::string_view host = email.substr(email.find('@') + 1);
  if (local.empty()) return bad_email(email, "nothing before the @");
  const auto dot = host.find('.');
  if (dot == 0 || dot == std::string_view::npos || host.back() == '.') {
    return bad_email(email, "no domain after the @");
  }
  return {};
}

}  // namespace lab::domain
