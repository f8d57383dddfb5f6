// large_file_streaming with mistakes for variants: each of them breaks a check that no variant of the essay breaks, on a real
// server. large_file_streaming_mutants_test.cpp runs it.

#include <fcntl.h>

#include <map>
#include <mutex>

#include "actors/role.h"
#include "checks.h"
#include "confined_root.h"
#include "gzip_stream.h"
#include "net/server_process.h"
#include "variants/chunked_copy.h"
#include "variants/sendfile.h"
#include "variants/stream_to_temp.h"
#include "world.h"

using namespace large_file_streaming;
using lab::harness::Promise;

namespace {

/// A gzip member for each block. The RFC allows that, and browsers stop after the first.
class ManyMembers : public ChunkedCopy {
 public:
  bool can_gzip() const override { return true; }
  Result<void> send_gzip(int file, Slice slice, Peer& peer) override {
    std::vector<char> buffer(kChunk);
    while (slice.length > 0) {
      const auto room = std::span(buffer).first(std::min<std::uint64_t>(kChunk, slice.length));
      const auto got = read_at(file, room, slice.offset);
      if (!got) return got.error();
      GzipSum sum;
      sum.add({.crc = crc_of(room.first(*got)), .length = *got});
      for (const auto& part : {std::vector<char>(gzip_header().begin(), gzip_header().end()),
                               deflate_block(room.first(*got)), sum.trailer()}) {
        if (auto sent = peer.write(part); !sent) return sent;
      }
      slice.advance(*got);
    }
    return {};
  }
};

/// The length of a range is right, its bytes are those at the beginning.
class FromTheBeginning : public ChunkedCopy {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    return ChunkedCopy::send(file, {0, slice.length}, peer);
  }
};

/// A limit on the whole answer instead of one on who takes nothing.
class WholeAnswerInTime : public Download {
 public:
  Result<void> send(int file, Slice slice, Peer& peer) override {
    const auto end = lab::now() + std::chrono::milliseconds(200);
    while (slice.length > 0) {
      if (lab::now() > end) return peer_gone();
      const Slice next{slice.offset, std::min<std::uint64_t>(slice.length, 64 * kKiB)};
      if (auto sent = chunked_.send(file, next, peer); !sent) return sent;
      slice.advance(next.length);
    }
    return {};
  }

 private:
  ChunkedCopy chunked_;
};

/// Opens each path once, and never looks again whether it still names that file.
class OpenOnce : public Root {
 public:
  explicit OpenOnce(const std::string& folder) : root_(folder) {}
  Result<File> open(const std::string& path) const override {
    const std::lock_guard lock(mutex_);
    auto known = files_.find(path);
    if (known == files_.end()) {
      auto file = root_.open(path);
      if (!file) return file;
      known = files_.emplace(path, std::move(*file)).first;
    }
    return File(::fcntl(known->second.descriptor(), F_DUPFD_CLOEXEC, 0));
  }

 private:
  const ConfinedRoot root_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, File> files_;
};

template <class Kind>
Recipe recipe(std::string variant) {
  return {.variant = std::move(variant),
          .step = Step::download,
          .download = [] { return std::make_unique<Kind>(); },
          .upload = [](Folder& folder,
                       std::string name) { return std::make_unique<StreamToTemp>(folder, name); },
          .root = [](const std::string& folder) { return std::make_unique<ConfinedRoot>(folder); }};
}

std::vector<Recipe> recipes() {
  Recipe many_members = recipe<ManyMembers>("many_members");
  many_members.gzip = true;
  Recipe open_once = recipe<Sendfile>("open_once");
  open_once.root = [](const std::string& folder) { return std::make_unique<OpenOnce>(folder); };
  return {many_members, recipe<FromTheBeginning>("from_the_beginning"),
          recipe<WholeAnswerInTime>("whole_answer_in_time"), open_once};
}

std::vector<lab::harness::Variant> variants() {
  // Nothing is said of a check that is broken by how the mutant breaks the one that it is here for.
  return {
      {"many_members",
       Promise::must_break("content-exact")
           .silent_on("memory-flat")         // the measurement ends with the first wrong file
           .silent_on("serves-under-limit")  //
           .silent_on("truncation-aborts"),  // the client stops after the first member
       "a gzip member for each block", "", ""},
      {"from_the_beginning",
       Promise::must_break("ranges-exact").also_breaks("conditions-right"),  // If-Range
       "the offset of a range is forgotten", "", ""},
      {"whole_answer_in_time",
       Promise::must_break("slow-reader-served", {kRough})
           .silent_on("content-exact")  // a busy machine may take as long for an honest file
           .silent_on("memory-flat")
           .silent_on("serves-under-limit"),
       "a limit on the whole answer", "", ""},
      {"open_once",
       Promise::must_break("conditions-right").silent_on("aborts-leak-nothing"),  // it keeps one
       "a file is opened once", "", ""}};
}

lab::harness::Scenario scenario() {
  lab::harness::Scenario scenario;
  scenario.name = "large-file-streaming-mutants";
  scenario.question = "Can each check fail?";
  scenario.variants = variants();
  scenario.faults = {{kRough, "as in large-file-streaming"}};
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  if (lab::actors::role_of(argc, argv) == lab::net::kServeRole) return serve_main(recipes());
  return lab::harness::run_main(scenario(), argc, argv);
}
