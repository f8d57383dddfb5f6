// What large_file_streaming is made of, without a server: ranges and conditions, paths, the confined root in both its ways,
// gzip streams, and the variants' loops against a socket.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <thread>

#include "client.h"
#include "confined_root.h"
#include "file_request.h"
#include "gzip_stream.h"
#include "test_support.h"
#include "upload_folder.h"
#include "variants/buffer_all.h"
#include "variants/chunked_copy.h"
#include "variants/mmap_write.h"
#include "variants/prefix_check.h"
#include "variants/read_all.h"
#include "variants/sendfile.h"
#include "variants/splice_early_return.h"
#include "variants/stream_to_temp.h"
#include "variants/tbb_pipeline.h"
#include "workload.h"

namespace large_file_streaming {
namespace {

namespace fs = std::filesystem;
using lab::net::Request;
using lab::test::TestFolder;

Request get(std::vector<lab::net::Header> headers) {
  Request request;
  request.method = "GET";
  request.headers = std::move(headers);
  return request;
}

constexpr FileFacts kFacts{.size = 1000, .changed_s = 784'111'777, .changed_ns = 5, .number = 7};

TEST(FileRequest, RangesAreWhatTheWorkloadSaysTheyAre) {
  for (const std::uint64_t size : {2 * kBuffer, 3 * kMiB + 7, 4 * kGiB}) {
    FileFacts facts = kFacts;
    facts.size = size;
    for (const auto& question : range_questions(size, 200, size)) {
      const auto answer = answer_for(get({{"Range", question.value}}), facts, false);
      EXPECT_EQ(answer.head.status, question.status) << question.value << " of " << size;
      EXPECT_EQ(answer.slice.value_or(Slice{}).length, question.slice.length) << question.value;
      EXPECT_EQ(answer.slice.value_or(Slice{}).offset, question.slice.offset) << question.value;
    }
  }
}

TEST(FileRequest, NothingOfAnEmptyFileIsInAnyRange) {
  FileFacts empty = kFacts;
  empty.size = 0;
  for (const char* range : {"bytes=0-", "bytes=0-0", "bytes=-1"})
    EXPECT_EQ(answer_for(get({{"Range", range}}), empty, false).head.status, 416) << range;
  EXPECT_EQ(answer_for(get({}), empty, false).slice->length, 0u);
}

TEST(FileRequest, DatesGoBothWays) {
  EXPECT_EQ(kFacts.last_modified(), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_date(kFacts.last_modified()), kFacts.changed_s);
  for (const char* no_date : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37 GMT!", "784111777"})
    EXPECT_FALSE(parse_date(no_date)) << no_date;
}

TEST(FileRequest, VersionsHaveDifferentTags) {
  std::set<std::string> tags{kFacts.etag()};
  for (const auto change :
       {+[](FileFacts& facts) { ++facts.size; }, +[](FileFacts& facts) { ++facts.changed_s; },
        +[](FileFacts& facts) { ++facts.changed_ns; }, +[](FileFacts& facts) { ++facts.number; }}) {
    FileFacts other = kFacts;
    change(other);
    EXPECT_TRUE(tags.insert(other.etag()).second);
  }
}

TEST(FileRequest, GzipIsAnotherRepresentationWithATagOfItsOwn) {
  const auto plain = answer_for(get({}), kFacts, true);
  const auto gzip = answer_for(get({{"Accept-Encoding", "br, gzip;q=0.5"}}), kFacts, true);
  EXPECT_FALSE(plain.gzip);
  EXPECT_TRUE(gzip.gzip);
  EXPECT_NE(*plain.head.header("ETag"), *gzip.head.header("ETag"));
  EXPECT_EQ(*gzip.head.header("Vary"), "Accept-Encoding");
  // A range is one of the file as it is, and so is its tag.
  const auto part =
      answer_for(get({{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-9"}}), kFacts, true);
  EXPECT_FALSE(part.gzip);
  EXPECT_EQ(part.head.status, 206);
  const auto known =
      answer_for(get({{"Accept-Encoding", "gzip"}, {"If-None-Match", *gzip.head.header("ETag")}}),
                 kFacts, true);
  EXPECT_EQ(known.head.status, 304);
  for (const char* refused : {"gzip;q=0", "gzip;q=0.000", "br", "identity", ""})
    EXPECT_FALSE(answer_for(get({{"Accept-Encoding", refused}}), kFacts, true).gzip) << refused;
}

TEST(FileRequest, APathIsDecodedOnce) {
  EXPECT_EQ(decoded_path("/a%20b/c?d=%41"), "a b/c");
  EXPECT_EQ(decoded_path("/%2e%2e/x"), "../x");
  EXPECT_EQ(decoded_path("/%252e"), "%2e");
  EXPECT_EQ(decoded_path("/%00"), std::string(1, '\0'));
  for (const char* broken : {"", "a", "/%", "/%2", "/%zz", "/%-1", "/% 1", "/%0x"})
    EXPECT_FALSE(decoded_path(broken)) << broken;
}

class Roots : public ::testing::TestWithParam<ConfinedRoot::How> {
 protected:
  void SetUp() override {
    if (GetParam() == ConfinedRoot::How::kernel && ConfinedRoot::best() == ConfinedRoot::How::walk)
      GTEST_SKIP() << "no openat2 here";
    fs::create_directory(folder_ / "root");
    lay_out_traps(folder_ / "root", "canary");
  }
  TestFolder folder_;
};

std::string text_of(const File& file) {
  std::string text(100, '\0');
  const auto got = read_at(file.descriptor(), text, 0);
  text.resize(got ? *got : 0);
  return text;
}

TEST_P(Roots, GiveOutWhatIsInsideAndNothingElse) {
  const ConfinedRoot root(folder_ / "root", GetParam());
  std::size_t inside = 0, refused = 0;
  for (const auto& question : path_questions(folder_ / "root")) {
    const std::string target = question.target;
    if (!target.starts_with("/files/")) continue;
    const auto path = decoded_path(target.substr(6));
    const auto file = path ? root.open(*path) : Result<File>(not_there());
    EXPECT_EQ(file.has_value(), question.inside) << target;
    if (file) {
      EXPECT_EQ(text_of(*file), kInsideText) << target;
    }
    ++(question.inside ? inside : refused);
  }
  EXPECT_EQ(inside, 3u);
  EXPECT_GE(refused, 55u);
}

TEST_P(Roots, ARootThatIsALinkItselfIsFine) {
  fs::create_symlink("root", folder_ / "entrance");
  EXPECT_TRUE(ConfinedRoot(folder_ / "entrance", GetParam()).open("folder/inner.txt"));
}

TEST_P(Roots, AFolderThatBecomesALinkLeadsNowhere) {
  const ConfinedRoot root(folder_ / "root", GetParam());
  EXPECT_TRUE(root.open("folder/inner.txt"));
  fs::rename(folder_ / "root" / "folder", folder_ / "elsewhere");
  fs::create_symlink(folder_ / "elsewhere", folder_ / "root" / "folder");
  EXPECT_FALSE(root.open("folder/inner.txt"));
}

INSTANTIATE_TEST_SUITE_P(Both, Roots,
                         ::testing::Values(ConfinedRoot::How::kernel, ConfinedRoot::How::walk),
                         [](const auto& how) {
                           return how.param == ConfinedRoot::How::kernel ? "Kernel" : "Walk";
                         });

TEST(PrefixCheck, Leaks) {
  TestFolder folder;
  fs::create_directory(folder / "root");
  lay_out_traps(folder / "root", "canary");
  const PrefixCheck root((folder / "root").string());
  for (const char* way_out : {"../outside.txt", "link", "chain", "folder_link/outside.txt",
                              "folder/up/outside.txt", "../root-other/outside.txt"}) {
    const auto file = root.open(way_out);
    ASSERT_TRUE(file) << way_out;
    EXPECT_EQ(text_of(*file), "canary");
  }
}

/// What a variant's loop sends, received by a thread.
class Wire : public Peer {
 public:
  Wire() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_), 0);
    reader_ = std::thread([this] {
      char buffer[64 * 1024];
      for (ssize_t got; (got = ::read(ends_[1], buffer, sizeof buffer)) > 0;)
        received_.append(buffer, static_cast<std::size_t>(got));
    });
  }
  ~Wire() override {
    finish();
    ::close(ends_[1]);
  }
  Result<void> write(std::span<const char> bytes) override { return write_whole(ends_[0], bytes); }
  int socket() const override { return ends_[0]; }
  Result<void> wait_for_room() override { return {}; }
  const std::string& finish() {
    if (reader_.joinable()) {
      ::close(ends_[0]);
      reader_.join();
    }
    return received_;
  }

 private:
  int ends_[2] = {};
  std::string received_;
  std::thread reader_;
};

File open(const fs::path& path) {
  return File(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

template <class Variant>
class Downloads : public ::testing::Test {};
using All =
    ::testing::Types<ReadAll, ChunkedCopy, MmapWrite, Sendfile, SpliceEarlyReturn, TbbPipeline>;
TYPED_TEST_SUITE(Downloads, All);

TYPED_TEST(Downloads, SendExactlyTheSlice) {
  TestFolder folder;
  const std::string bytes = content(1, 3 * kBuffer + 11);
  make_file(folder / "file", bytes);
  const File file = open(folder / "file");
  for (const Slice slice :
       {Slice{0, bytes.size()}, Slice{0, 0}, Slice{5, 1}, Slice{kBuffer - 1, 2},
        Slice{kBuffer, kBuffer}, Slice{70'000, kBuffer + 1}, Slice{bytes.size() - 1, 1}}) {
    Wire wire;
    TypeParam variant;
    EXPECT_TRUE(variant.send(file.descriptor(), slice, wire));
    EXPECT_EQ(wire.finish(), bytes.substr(slice.offset, slice.length)) << slice.offset;
  }
}

TYPED_TEST(Downloads, SayThatAFileIsShorterThanItWas) {
  if constexpr (!std::is_same_v<TypeParam, MmapWrite>) {  // it would be killed
    TestFolder folder;
    make_file(folder / "file", content(1, kBuffer));
    const File file = open(folder / "file");
    Wire wire;
    TypeParam variant;
    const auto sent = variant.send(file.descriptor(), {0, 3 * kBuffer}, wire);
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, lab::ErrorCode::conflict);
    EXPECT_LE(wire.finish().size(), kBuffer);
  }
}

using MmapDeathTest = ::testing::Test;

TEST(MmapDeathTest, WhoTouchesWhatIsGoneIsKilledAndWhoAsksTheKernelToIsTold) {
  TestFolder folder;
  make_file(folder / "file", content(1, kBuffer));
  const File file = open(folder / "file");
  EXPECT_EXIT(
      {
        Wire wire;
        (void)MmapWrite().send(file.descriptor(), {0, 3 * kBuffer}, wire);
      },
      [](int status) { return WIFSIGNALED(status) || WEXITSTATUS(status) != 0; }, "");
  void* window = ::mmap(nullptr, 2 * kBuffer, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  ASSERT_NE(window, MAP_FAILED);
  Wire wire;
  const char* gone = static_cast<const char*>(window) + kBuffer;
  EXPECT_EQ(::send(wire.socket(), gone, 4096, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EFAULT);
  ::munmap(window, 2 * kBuffer);
}

TEST(GzipStream, OfManyBlocksIsOneStream) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, kBuffer, 5 * kBuffer + 3}) {
    TestFolder folder;
    std::string bytes = content(1, size / 2) + std::string(size - size / 2, 'z');
    make_file(folder / "file", bytes);
    Wire wire;
    EXPECT_TRUE(TbbPipeline().send_gzip(open(folder / "file").descriptor(), {0, size}, wire));
    std::string inflated;
    Gunzip gunzip([&](std::span<const char> piece) {
      inflated.append(piece.data(), piece.size());
      return true;
    });
    EXPECT_TRUE(gunzip.add(wire.finish()));
    EXPECT_TRUE(gunzip.complete());
    EXPECT_EQ(inflated, bytes);
  }
}

TEST(GzipStream, WithoutItsEndIsNotComplete) {
  TestFolder folder;
  make_file(folder / "file", content(1, kBuffer));
  Wire wire;
  EXPECT_FALSE(TbbPipeline().send_gzip(open(folder / "file").descriptor(), {0, 2 * kBuffer}, wire));
  Gunzip gunzip([](auto) { return true; });
  EXPECT_TRUE(gunzip.add(wire.finish()));
  EXPECT_FALSE(gunzip.complete());
}

TEST(Uploads, OnesThatAreNotCommittedLeaveTheOldFile) {
  TestFolder folder;
  make_file(folder / "kept.bin", "old");
  DiskFolder disk(folder.path());
  {
    StreamToTemp upload(disk, "kept.bin");
    EXPECT_TRUE(upload.take(std::string_view("new")));
  }
  EXPECT_EQ(text_of(open(folder / "kept.bin")), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
  StreamToTemp upload(disk, "kept.bin");
  EXPECT_TRUE(upload.take(std::string_view("new")));
  EXPECT_EQ(text_of(open(folder / "kept.bin")), "old");
  EXPECT_TRUE(upload.commit());
  EXPECT_EQ(text_of(open(folder / "kept.bin")), "new");
}

TEST(Uploads, WhatACrashLeftIsRemovedAtTheNextStart) {
  TestFolder folder;
  make_file(folder / std::string(kTemporary).append("1"), "half of");
  make_file(folder / "kept.bin", "old");
  const DiskFolder disk(folder.path());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Uploads, AFullDiskIsSaid) {
  const File full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto written = write_whole(full.descriptor(), std::string_view("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, lab::ErrorCode::exhausted);
  EXPECT_THAT(written.error().message, ::testing::HasSubstr("No space left"));
}

TEST(Uploads, NamesArePlain) {
  for (const char* good : {"a", "a.bin", "A-1_2.tar.gz"}) EXPECT_TRUE(is_upload_name(good)) << good;
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "a%2fb", "a b", "a\\b", "\xc3\xa4"})
    EXPECT_FALSE(is_upload_name(bad)) << bad;
}

}  // namespace
}  // namespace large_file_streaming
