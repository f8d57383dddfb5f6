#pragma once
// stream_to_temp: each piece goes to a file beside the old one as it comes; when all of it is there and on the disk, one
// rename() takes the old file's place. Before that call there is the old file, after it the new one, and nothing between.
// The fsync comes before the rename: a file system may write down the new name before the new bytes. The one after it is
// for the name itself.

#include "file_server.h"

namespace large_file_streaming {

class StreamToTemp : public Upload {
 public:
  StreamToTemp(Folder& folder, std::string name) : folder_(folder), name_(std::move(name)) {}

  ~StreamToTemp() override {
    if (!temporary_.empty()) folder_.remove(temporary_);
  }

  Result<void> take(std::span<const char> bytes) override {
    if (auto there = begin(); !there) return there;
    return folder_.write(file_, bytes);
  }

  Result<void> commit() override {
    if (auto there = begin(); !there) return there;  // an empty body
    if (auto synced = folder_.sync(file_); !synced) return synced;
    if (auto renamed = folder_.rename(temporary_, name_); !renamed) return renamed;
    temporary_.clear();
    return folder_.sync_names();
  }

 private:
  Result<void> begin() {
    if (file_) return {};
    auto made = folder_.create_temporary(temporary_);
    if (!made) return made.error();
    file_ = std::move(*made);
    return {};
  }

  Folder& folder_;
  const std::string name_;
  std::string temporary_;  // its name, while it is there
  File file_;
};

}  // namespace large_file_streaming
