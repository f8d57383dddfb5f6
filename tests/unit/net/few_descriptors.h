#pragma once
// A process that has hardly a descriptor left.

#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>

namespace lab::net {

/// While it lives, this process can open so many descriptors more.
class FewDescriptors {
 public:
  explicit FewDescriptors(int left) {
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    if (lowest_free < 0 || ::getrlimit(RLIMIT_NOFILE, &before_) != 0)
      throw std::runtime_error("cannot tell the limit of open files");
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(lowest_free + left);
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace lab::net
