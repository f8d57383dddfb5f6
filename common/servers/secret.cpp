#include "servers/secret.h"

#include <sys/random.h>

#include <cerrno>

#include "core/result.h"
#include "servers/errno_error.h"

namespace lab::servers {

std::string random_password() {
  unsigned char bits[16];
  if (::getrandom(bits, sizeof bits, 0) != sizeof bits) {
    throw Failure(errno_error(errno, "the kernel gives no random bits"));
  }
  std::string text;
  for (const unsigned char byte : bits) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace lab::servers
