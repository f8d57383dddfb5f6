#include "core/result.h"

#include <fmt/format.h>

namespace lab {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::refused: return "refused";
    case ErrorCode::timeout: return "timeout";
    case ErrorCode::closed: return "closed";
    case ErrorCode::protocol: return "protocol";
    case ErrorCode::conflict: return "conflict";
    case ErrorCode::not_found: return "not found";
    case ErrorCode::invalid: return "invalid";
    case ErrorCode::exhausted: return "exhausted";
    case ErrorCode::unavailable: return "unavailable";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

std::string_view name(Happened happened) {
  return happened == Happened::no ? "did not happen" : "may have happened";
}

std::string describe(const Error& error) {
  return fmt::format("{} ({}): {}", name(error.code), name(error.happened), error.message);
}

Failure::Failure(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw Failure(error);
}

}  // namespace lab
