// large_file_streaming: "Serve a 4 GiB file from a 256 MiB container."
//
// The scenario as a table of contents: its variants with what each promises, its faults, its checks.

#include "actors/role.h"
#include "checks.h"
#include "confined_root.h"
#include "net/server_process.h"
#include "speed.h"
#include "variants/buffer_all.h"
#include "variants/chunked_copy.h"
#include "variants/mmap_write.h"
#include "variants/prefix_check.h"
#include "variants/read_all.h"
#include "variants/sendfile.h"
#include "variants/splice_early_return.h"
#include "variants/stream_to_temp.h"
#include "variants/tbb_pipeline.h"
#include "world.h"

using namespace large_file_streaming;
using lab::harness::Promise;
using lab::harness::Scenario;

namespace {

std::string source(const std::string& variant) {
  return "scenarios/large_file_streaming/variants/" + variant + ".h";
}

std::vector<lab::harness::Variant> variants() {
  return {
      {"read_all",
       Promise::must_break("memory-flat")
           .also_breaks("serves-under-limit")
           // It reads all of the file before it can notice that nobody takes it.
           .silent_on("absent-freed"),
       "naive: the file becomes a string, the string is sent", source("read_all"),
       "as large as the file"},
      {"chunked_copy", Promise::must_hold(), "one buffer, filled and sent again and again",
       source("chunked_copy"), "an end before its time"},
      {"mmap_write", Promise::must_break("truncation-aborts", {kRough}),
       "the file is memory, a window at a time", source("mmap_write"), "may be fatal"},
      {"sendfile", Promise::must_hold(), "the kernel moves the bytes; no buffer, no copy",
       source("sendfile"), "::sendfile"},
      {"splice_early_return",
       Promise::must_break("aborts-leak-nothing", {kRough}).also_breaks("absent-freed", {kRough}),
       "the same through a pipe; whoever goes away leaves it open", source("splice_early_return"),
       "and the pipe?"},
      {"async_chunked", Promise::must_hold(),
       "the same loop as a coroutine: one thread for all connections", source("async_chunked"),
       "co_await"},
      {"tbb_pipeline", Promise::must_hold(),
       "read, gzip and send at the same time, with bounded tokens", source("tbb_pipeline"),
       "parallel_pipeline"},
      {"buffer_all",
       Promise::must_break("upload-old-or-new", {kRough})
           .also_breaks("memory-flat")
           .also_breaks("serves-under-limit"),
       "naive upload: collect the body, then overwrite the file", source("buffer_all"),
       "the old file is gone"},
      {"stream_to_temp", Promise::must_hold(),
       "each piece to a file beside the old one, fsync, rename", source("stream_to_temp"),
       "folder_.rename"},
      {"prefix_check", Promise::must_break("root-confined"),
       "naive root: the path begins with the root's, so it is inside", source("prefix_check"),
       "starts_with(root_)"},
  };
}

/// What a recipe leaves open: sendfile, stream_to_temp, the confined root.
Recipe recipe(std::string variant, Step step) {
  return {.variant = std::move(variant),
          .step = step,
          .download = [] { return std::make_unique<Sendfile>(); },
          .upload = [](Folder& folder,
                       std::string name) { return std::make_unique<StreamToTemp>(folder, name); },
          .root = [](const std::string& folder) { return std::make_unique<ConfinedRoot>(folder); }};
}

template <class Variant>
Recipe download(std::string variant) {
  Recipe made = recipe(std::move(variant), Step::download);
  made.download = [] { return std::make_unique<Variant>(); };
  return made;
}

std::vector<Recipe> recipes() {
  Recipe read_all = download<ReadAll>("read_all");
  read_all.whole_in_memory = true;
  Recipe asynchronous = recipe("async_chunked", Step::download);
  asynchronous.download = nullptr;
  Recipe pipeline = download<TbbPipeline>("tbb_pipeline");
  pipeline.gzip = true;
  Recipe buffer_all = recipe("buffer_all", Step::upload);
  buffer_all.upload = [](Folder& folder, std::string name) {
    return std::make_unique<BufferAll>(folder, name);
  };
  Recipe prefix_check = recipe("prefix_check", Step::root);
  prefix_check.root = [](const std::string& folder) {
    return std::make_unique<PrefixCheck>(folder);
  };
  return {read_all,
          download<ChunkedCopy>("chunked_copy"),
          download<MmapWrite>("mmap_write"),
          download<Sendfile>("sendfile"),
          download<SpliceEarlyReturn>("splice_early_return"),
          asynchronous,
          pipeline,
          buffer_all,
          recipe("stream_to_temp", Step::upload),
          prefix_check};
}

Scenario scenario() {
  Scenario scenario;
  scenario.name = "large-file-streaming";
  scenario.question = "Serve a 4 GiB file from a 256 MiB container.";
  scenario.variants = variants();
  scenario.faults = {
      {kRough,
       "clients stall and vanish, files shrink while they are sent, the server is killed with -9 "
       "while it takes uploads"},
      {"none", "nothing happens: the baseline"},
  };
  for (const auto& check : checks()) scenario.checks.emplace_back(check.name, check.claim);
  scenario.rank_by = "large_mb_per_second";
  scenario.naive = "read_all";
  scenario.lesson = "the file's size is the server's memory, and files grow";
  scenario.next = "./lab run large-file-streaming   (the 4 GiB of the question)";
  scenario.timing = timing;
  scenario.open = [](auto& plan, auto& events) { return open_world(plan, events, recipes()); };
  scenario.serve = [](const auto& request) { return serve_variant(request, recipes()); };
  return scenario;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = lab::actors::role_of(argc, argv);
  if (role == lab::net::kServeRole) return serve_main(recipes());
  if (role == kBareRole) return bare_main();
  if (role == kNginxRole) return nginx_main();
  return lab::harness::run_main(scenario(), argc, argv);
}
