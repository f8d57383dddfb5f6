#pragma once
#include <string>

namespace lab::servers {

/// A password of 128 random bits from the kernel, as 32 hexadecimal digits.
std::string random_password();

}  // namespace lab::servers
