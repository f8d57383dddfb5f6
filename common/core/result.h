#pragma once
// Expected outcomes are values: a call that can fail returns Result<T>.
//
// What a client most needs to know about a failure is whether the thing happened all the same. A
// refused connection did not run the command; a timeout after sending may have. Every Error says
// which.

#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

namespace lab {

enum class ErrorCode {
  refused,   // nobody listens, or the connection was turned down
  timeout,   // no answer within the caller's limit
  closed,    // the connection broke while the call was under way
  protocol,  // the answer made no sense
  conflict,  // a concurrent change won: deadlock, serialization failure, unique key
  not_found,
  invalid,      // the caller asked for something that cannot be
  exhausted,    // a bounded resource is used up: pool, disk, descriptors
  unavailable,  // something needed is not installed or not running
  internal,
};

/// Did the operation take effect although an error came back?
enum class Happened {
  no,       // certainly not: safe to try again
  unknown,  // it may have, now or later: only an idempotent retry is safe
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  Happened happened = Happened::no;
  std::string message;        // what failed and why, one line, no trailing full stop
  std::string native_code{};  // what the server calls it, or empty: "1213", "40001", "WRONGTYPE"
};

template <class T>
using Result = boost::system::result<T, Error>;

std::string_view name(ErrorCode code);
std::string_view name(Happened happened);

/// "timeout (may have happened): GET product:7 got no answer within 50 ms"
std::string describe(const Error& error);

/// Thrown where a failure stops the run: no server, no folder, a broken invariant of the program
/// itself.
class Failure : public std::runtime_error {
 public:
  explicit Failure(Error error);
  explicit Failure(std::string message)
      : Failure(Error{ErrorCode::internal, Happened::no, std::move(message)}) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

/// Called by boost::system::result when value() is asked of an error.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

}  // namespace lab
