#include "servers/message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "servers/errno_error.h"

namespace lab::servers {
namespace {

// Far below the kernel's default socket buffer (208 KiB), far above any command line here.
constexpr std::size_t kLargestMessage = 128 * 1024;

}  // namespace

Result<void> send_message(int socket, const Fields& fields) {
  std::string bytes;
  for (const auto& field : fields) {
    const auto size = static_cast<std::uint32_t>(field.size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += field;
  }
  if (bytes.size() > kLargestMessage) {
    return Error{ErrorCode::invalid, Happened::no, "a command line is longer than 128 KiB"};
  }
  ssize_t sent;
  do {
    sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno_error(errno, "cannot send to the supervisor");
  return {};
}

Result<Fields> receive_message(int socket) {
  std::string bytes(kLargestMessage, '\0');
  ssize_t got;
  do {
    got = ::recv(socket, bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    return Error{ErrorCode::timeout, Happened::unknown, "no answer from the supervisor"};
  }
  if (got < 0) return errno_error(errno, "cannot receive from the supervisor");
  if (got == 0) return Error{ErrorCode::closed, Happened::unknown, "the connection is closed"};

  Fields fields;
  for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
    std::uint32_t size = 0;
    if (got - at < sizeof size) return Error{ErrorCode::protocol, Happened::unknown, "short field"};
    std::memcpy(&size, bytes.data() + at, sizeof size);
    at += sizeof size;
    if (got - at < size) return Error{ErrorCode::protocol, Happened::unknown, "short field"};
    fields.emplace_back(bytes, at, size);
    at += size;
  }
  return fields;
}

Fields error_message(const Error& error) {
  return {"error", std::to_string(static_cast<int>(error.code)), error.message};
}

Result<Fields> answer_of(Fields answer) {
  if (!answer.empty() && answer[0] == "ok") {
    answer.erase(answer.begin());
    return answer;
  }
  if (answer.size() == 3 && answer[0] == "error") {
    return Error{static_cast<ErrorCode>(std::stoi(answer[1])), Happened::no, answer[2]};
  }
  return Error{ErrorCode::protocol, Happened::unknown, "the supervisor's answer made no sense"};
}

}  // namespace lab::servers
