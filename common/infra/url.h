#pragma once
// The address of a server as people type it.

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/result.h"

namespace lab::infra {

struct Url {
  std::string scheme, user, password, host, path;  // decoded; the path keeps its leading '/'
  int port = 0;                                    // 0 when not given
  std::string socket;                              // of "?socket=/path"
};

/// With %XX for all but letters, digits, -, . and _, and what is listed: fit for any part of a URL.
std::string encoded(std::string_view text, std::string_view kept = {});

/// `invalid` says what is wrong with which part; it never shows the password. Other parameters than
/// `socket` are refused, so that none is ignored silently.
Result<Url> parse_url(std::string_view text, std::initializer_list<std::string_view> schemes);

}  // namespace lab::infra
