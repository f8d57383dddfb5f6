#include "servers/errno_error.h"

#include <cerrno>
#include <system_error>

namespace lab::servers {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: return ErrorCode::exhausted;
    case ETIMEDOUT: return ErrorCode::timeout;
    case ECONNREFUSED: return ErrorCode::refused;
    case ECONNRESET:
    case EPIPE: return ErrorCode::closed;
    default: return ErrorCode::unavailable;
  }
}

}  // namespace

Error errno_error(int number, std::string what) {
  return {code_of(number), Happened::no,
          std::move(what) + ": " + std::system_category().message(number)};
}

}  // namespace lab::servers
