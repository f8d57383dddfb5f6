#pragma once
// buffer_all: the naive upload. The body is collected, then the file is overwritten. The memory is the sender's to choose,
// and between the truncation and the last byte a crash leaves neither the old file nor the new one.

#include "file_server.h"

namespace large_file_streaming {

class BufferAll : public Upload {
 public:
  BufferAll(Folder& folder, std::string name) : folder_(folder), name_(std::move(name)) {}

  Result<void> take(std::span<const char> bytes) override {
    body_.append(bytes.data(), bytes.size());
    return {};
  }

  Result<void> commit() override {
    const auto file = folder_.truncate(name_);  // from here on the old file is gone
    if (!file) return file.error();
    return folder_.write(*file, body_);
  }

 private:
  Folder& folder_;
  const std::string name_;
  std::string body_;
};

}  // namespace large_file_streaming
