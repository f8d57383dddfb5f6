// What the pieces cost on Google Benchmark: a path made into an open file in three ways, a request's head judged, a chunk
// deflated and summed.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>

#include "client.h"
#include "confined_root.h"
#include "file_request.h"
#include "gzip_stream.h"
#include "variants/prefix_check.h"
#include "workload.h"

namespace large_file_streaming {
namespace {

/// A folder with one file four folders down.
class Tree {
 public:
  Tree() {
    char pattern[] = "/tmp/streaming-bench-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    std::filesystem::create_directories(folder_ / "a" / "b" / "c");
    make_file(folder_ / "a" / "b" / "c" / "file.bin", "x");
  }
  ~Tree() { std::filesystem::remove_all(folder_); }
  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

void open_in(benchmark::State& state, const Root& root) {
  for (auto _ : state) {
    auto file = root.open("a/b/c/file.bin");
    if (!file) state.SkipWithError("not there");
    benchmark::DoNotOptimize(file);
  }
}

void open_by_text(benchmark::State& state) {
  const Tree tree;
  open_in(state, PrefixCheck(tree.path()));
}
BENCHMARK(open_by_text);

void open_beneath(benchmark::State& state) {
  if (ConfinedRoot::best() == ConfinedRoot::How::walk)
    return state.SkipWithError("no openat2 here");
  const Tree tree;
  open_in(state, ConfinedRoot(tree.path(), ConfinedRoot::How::kernel));
}
BENCHMARK(open_beneath);

void open_walking(benchmark::State& state) {
  const Tree tree;
  open_in(state, ConfinedRoot(tree.path(), ConfinedRoot::How::walk));
}
BENCHMARK(open_walking);

void judge_a_range(benchmark::State& state) {
  const FileFacts facts{.size = 4 * kGiB, .changed_s = 784'111'777, .number = 7};
  lab::net::Request request;
  request.method = "GET";
  request.headers = {{"Range", "bytes=1048576-2097151"}, {"If-Range", facts.etag()}};
  for (auto _ : state) benchmark::DoNotOptimize(answer_for(request, facts, false));
}
BENCHMARK(judge_a_range);

void deflate_a_chunk(benchmark::State& state) {
  const std::string bytes = state.range(0) ? content(1, kBuffer) : std::string(kBuffer, '\0');
  for (auto _ : state) benchmark::DoNotOptimize(deflate_block(bytes));
  state.SetBytesProcessed(static_cast<std::int64_t>(kBuffer * state.iterations()));
}
BENCHMARK(deflate_a_chunk)->ArgName("random")->Arg(0)->Arg(1);

void hash_a_chunk(benchmark::State& state) {
  const std::string bytes = content(1, kBuffer);
  for (auto _ : state) benchmark::DoNotOptimize(sha256_of(bytes));
  state.SetBytesProcessed(static_cast<std::int64_t>(kBuffer * state.iterations()));
}
BENCHMARK(hash_a_chunk);

}  // namespace
}  // namespace large_file_streaming
