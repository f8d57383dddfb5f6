#pragma once
// prefix_check: "the path begins with the root, so the file is in it". It compares text, and the kernel resolves names:
// root/../secret begins with root, and so does root/link, wherever the link leads. Resolving first (realpath) and comparing
// then is no cure either: a name can change between the check and the open. Compare ../confined_root.h, which makes the
// kernel refuse while it resolves.

#include <fcntl.h>

#include "file_server.h"

namespace large_file_streaming {

class PrefixCheck : public Root {
 public:
  explicit PrefixCheck(std::string root) : root_(std::move(root)) {}

  Result<File> open(const std::string& path) const override {
    const std::string full = path.starts_with('/') ? path : root_ + '/' + path;
    if (!full.starts_with(root_)) return not_there();  // text, not names
    File file(::open(full.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file || !is_regular(file)) return not_there();
    return file;
  }

 private:
  const std::string root_;
};

}  // namespace large_file_streaming
