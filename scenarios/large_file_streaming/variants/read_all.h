#pragma once
// read_all: the naive start. The file becomes a string, the string is sent. Right for a configuration file; for anything
// else the largest file that somebody puts there, times the connections, is the memory that the server needs.

#include "file_server.h"

namespace large_file_streaming {

class ReadAll : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    std::string whole(slice.length, '\0');  // as large as the file
    for (std::size_t have = 0; have < whole.size();) {
      const auto got = read_at(file, std::span(whole).subspan(have), slice.offset + have);
      if (!got) return got.error();
      have += *got;
    }
    return peer.write(whole);
  }
};

}  // namespace large_file_streaming
