// cache_aside as its user runs it: the executable, in smoke size, on embedded and real backends; bad input; Ctrl-C; kill -9.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "core/random.h"
#include "core/subprocess.h"
#include "servers/server.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kProgram = LAB_CACHE_ASIDE;

/// A folder that goes with the test; servers' folders and results go in here, so that leftovers are seen.
class Scratch {
 public:
  Scratch() {
    char pattern[] = "/tmp/cache-aside-test-XXXXXX";
    folder_ = mkdtemp(pattern);
    fs::create_directory(folder_ / "tmp");
    fs::permissions(folder_, fs::perms(0755));  // run by root, PostgreSQL is another user
    setenv("LAB_TMPDIR", (folder_ / "tmp").c_str(), 1);
  }
  ~Scratch() {
    unsetenv("LAB_TMPDIR");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path results() const { return folder_ / "results"; }
  fs::path path() const { return folder_; }
  bool servers_folders_gone() const { return fs::is_empty(folder_ / "tmp"); }

 private:
  fs::path folder_;
};

struct Ran {
  int exit_status = 0;
  std::string text;  // stdout and, where asked for, stderr
};

class CacheAside : public ::testing::Test {
 protected:
  std::vector<std::string> command(std::vector<std::string> flags) {
    std::vector<std::string> argv{kProgram, "--results", scratch_.results().string()};
    argv.insert(argv.end(), flags.begin(), flags.end());
    return argv;
  }

  Ran run(std::vector<std::string> flags) {
    const auto output = run_program(command(std::move(flags)), 110s);
    if (!output) {
      ADD_FAILURE() << describe(output.error());
      return {};
    }
    return {output->exit_status, output->text};
  }

  /// What the user sees when it goes wrong: both streams.
  Ran run_and_listen(const std::vector<std::string>& flags) {
    std::vector<std::string> argv{"sh", "-c", "exec \"$@\" 2>&1", "sh"};
    for (const auto& word : command(flags)) argv.push_back(word);
    const auto output = run_program(argv, 60s);
    return output ? Ran{output->exit_status, output->text} : Ran{-1, describe(output.error())};
  }

  json run_json(std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--json", "--quick"});
    const Ran ran = run(std::move(flags));
    const json result = json::parse(ran.text, nullptr, false);
    if (!result.is_object()) {
      ADD_FAILURE() << "no JSON object: " << ran.text;
      return json::object();
    }
    EXPECT_EQ(result["exit_status"], ran.exit_status);
    EXPECT_TRUE(scratch_.servers_folders_gone());
    return result;
  }

  static std::string verdict(const json& result, const std::string& variant,
                             const std::string& check) {
    for (const auto& v : result["variants"]) {
      if (v["name"] != variant) continue;
      for (const auto& c : v["checks"]) {
        if (c["name"] == check) return c["verdict"];
      }
    }
    return "absent";
  }

  static std::string witness(const json& result, const std::string& variant,
                             const std::string& check) {
    for (const auto& v : result["variants"]) {
      if (v["name"] != variant) continue;
      for (const auto& c : v["checks"]) {
        if (c["name"] == check) return c["witness"];
      }
    }
    return "absent";
  }

  Scratch scratch_;
};

bool skip_without(const servers::Installed& server) {
  if (!server.program.empty()) return false;
  if (std::getenv("CI")) ADD_FAILURE() << server.kind << " is not installed: " << server.how_to_get;
  return true;
}

#define NEEDS(server) \
  if (skip_without(server)) GTEST_SKIP() << "not installed"

const std::vector<std::string> kSevenVariants{
    "no_cache", "cache_forever",         "aside_ttl", "aside_invalidate", "single_flight",
    "lease",    "stale_while_revalidate"};

void expect_the_lesson(const json& result) {
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  std::vector<std::string> names;
  for (const auto& variant : result["variants"]) {
    names.push_back(variant["name"]);
    EXPECT_EQ(variant["as_promised"], "holds") << variant.dump(1);
  }
  EXPECT_EQ(names, kSevenVariants);
}

TEST_F(CacheAside, OnRealServersEveryVariantDoesAsPromised) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result = run_json({"--backend", "real", "--rounds", "1"});
  expect_the_lesson(result);
  const std::string proof = witness(result, "cache_forever", "bounded-staleness");
  EXPECT_THAT(proof, HasSubstr("product:"));
  EXPECT_THAT(proof, HasSubstr("version"));
  EXPECT_THAT(proof, HasSubstr("ms after"));
  EXPECT_EQ(result["faults"].size(), 7u);
}

TEST_F(CacheAside, OnTheEmbeddedBackendEveryVariantDoesAsPromised) {
  expect_the_lesson(run_json({"--backend", "embedded", "--rounds", "1"}));
}

TEST_F(CacheAside, OnPostgresTheDatabaseMakesNoDifference) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_postgres());
  const json result =
      run_json({"--sql", "postgres", "--rounds", "0", "--variant", "aside_invalidate,lease"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
}

TEST_F(CacheAside, WithRedisPausedOnlyATimeLimitHelps) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  // An outage longer than any stall of a busy machine.
  const json result = run_json({"--fault", "redis-pause", "--rounds", "0", "--duration", "2s",
                                "--variant", "aside_ttl,stale_while_revalidate"});
  EXPECT_EQ(verdict(result, "aside_ttl", "available"), "violated")
      << witness(result, "aside_ttl", "available");
  EXPECT_EQ(verdict(result, "stale_while_revalidate", "available"), "holds")
      << witness(result, "stale_while_revalidate", "available");
}

TEST_F(CacheAside, GarbageFoolsOnlyTheVariantThatBelievesAnyBytes) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result = run_json(
      {"--fault", "redis-garbage", "--rounds", "0", "--variant", "cache_forever,single_flight"});
  EXPECT_EQ(verdict(result, "cache_forever", "provenance"), "violated");
  EXPECT_EQ(verdict(result, "single_flight", "provenance"), "holds");
}

TEST_F(CacheAside, AWriterKilledBeforeItsDeleteLeavesAnEntryThatOnlyATtlRemoves) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result =
      run_json({"--fault", "app-crash", "--rounds", "0", "--variant", "aside_invalidate,lease"});
  EXPECT_EQ(verdict(result, "aside_invalidate", "convergence"), "violated");
  EXPECT_EQ(verdict(result, "lease", "convergence"), "holds")
      << witness(result, "lease", "convergence");
}

TEST_F(CacheAside, AnOldDumpBringsStaleEntriesBack) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result =
      run_json({"--fault", "redis-old-dump", "--rounds", "0", "--variant", "cache_forever,lease"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
}

/// Every seed must tell the same story. LAB_SEEDS=20 is the full proof; the default is for every day.
TEST_F(CacheAside, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  const char* wanted = std::getenv("LAB_SEEDS");
  const int seeds = wanted ? std::max(1, std::atoi(wanted)) : 2;
  const std::string backend = std::getenv("LAB_BACKEND") ? std::getenv("LAB_BACKEND") : "embedded";
  const std::string sql = std::getenv("LAB_SQL") ? std::getenv("LAB_SQL") : "mariadb";
  std::map<std::string, int> broke;
  for (int seed = 1; seed <= seeds; ++seed) {
    const json result = run_json(
        {"--seed", std::to_string(seed), "--backend", backend, "--sql", sql, "--rounds", "0"});
    for (const auto& variant : result["variants"]) {
      const std::string name = variant["name"];
      const bool must_break = std::string(variant["promise"]).starts_with("must_break");
      broke[name] += must_break && variant["as_promised"] == "holds" ? 1 : 0;
      EXPECT_NE(variant["as_promised"], "violated") << "seed " << seed << ": " << variant.dump(1);
    }
  }
  for (const char* name : {"cache_forever", "aside_ttl", "aside_invalidate"}) {
    EXPECT_GE(broke[name] * 20, seeds * 19)
        << name << " broke in " << broke[name] << " of " << seeds << " seeds";
    std::printf("%s broke in %d of %d seeds\n", name, broke[name], seeds);
  }
}

TEST_F(CacheAside, AUsersOwnRedisIsNeverKilled) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  servers::Supervisor supervisor;
  auto redis = supervisor.redis({.tcp = true});
  ASSERT_TRUE(redis) << describe(redis.error());
  const std::string url = "redis://127.0.0.1:" + std::to_string((*redis)->port());
  const int pid = (*redis)->pid();
  const json result = [&] {
    const Ran ran = run({"--redis-url", url, "--rounds", "0", "--quick", "--json", "--variant",
                         "cache_forever,lease"});
    return json::parse(ran.text, nullptr, false);
  }();
  EXPECT_NE(result["verdict"], "violated") << result.dump(1);
  EXPECT_EQ(result["fault"], "redis-cut");
  EXPECT_THAT(result["notes"].dump(), HasSubstr("redis-kill is refused"));
  EXPECT_EQ((*redis)->pid(), pid);

  const Ran chosen = run_and_listen({"--redis-url", url, "--fault", "redis-kill"});
  EXPECT_EQ(chosen.exit_status, 2);
  EXPECT_THAT(chosen.text, HasSubstr("this run did not start the Redis"));
}

TEST_F(CacheAside, ATypoGetsTheNearestName) {
  for (const auto& [flag, typed, meant] :
       {std::tuple{"--variant", "singel_flight", "single_flight"},
        {"--fault", "redis-kil", "redis-kill"},
        {"--backend", "embeded", "embedded"},
        {"--sql", "postgress", "postgres"}}) {
    const Ran ran = run_and_listen({flag, typed});
    EXPECT_EQ(ran.exit_status, 2) << typed;
    EXPECT_THAT(ran.text, HasSubstr(std::string("did you mean '") + meant + "'")) << typed;
  }
  EXPECT_EQ(run_and_listen({"--duration", "soon"}).exit_status, 2);
  EXPECT_EQ(run_and_listen({"--nonsense"}).exit_status, 2);
  EXPECT_EQ(run_and_listen({"--help"}).exit_status, 0);
}

TEST_F(CacheAside, ADeadAddressIsOneClearLine) {
  NEEDS(servers::find_mariadb());
  const Ran ran = run_and_listen({"--quiet", "--redis-url", "redis://127.0.0.1:1"});
  EXPECT_EQ(ran.exit_status, 3);
  EXPECT_THAT(ran.text, HasSubstr("cannot use the Redis at"));
  EXPECT_TRUE(scratch_.servers_folders_gone());
}

TEST_F(CacheAside, AnUnwritableResultsFolderLosesNothing) {
  const fs::path file = scratch_.path() / "a-file";
  std::ofstream(file) << "not a folder";
  const auto output =
      run_program({kProgram, "--results", (file / "results").string(), "--backend", "embedded",
                   "--quick", "--rounds", "0", "--variant", "no_cache", "--json"},
                  60s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_status, 3);
  const json result = json::parse(output->text, nullptr, false);
  ASSERT_TRUE(result.is_object());  // the result itself is told all the same
  EXPECT_THAT(result["notes"].dump(), HasSubstr("could not be kept"));
}

TEST_F(CacheAside, AFullDiskLosesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount a small tmpfs";
  const fs::path small = scratch_.path() / "small";
  fs::create_directory(small);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "cannot mount here";
  std::ofstream(small / "filler") << std::string(16 * 1024, 'x');
  const auto output =
      run_program({kProgram, "--results", (small / "results").string(), "--backend", "embedded",
                   "--quick", "--rounds", "0", "--variant", "no_cache", "--json"},
                  60s);
  umount(small.c_str());
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_status, 3);
  EXPECT_TRUE(json::parse(output->text, nullptr, false).is_object());
}

/// Starts the program and returns its pid.
pid_t start(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    (void)!freopen("/dev/null", "w", stdout);
    (void)!freopen("/dev/null", "w", stderr);
    execv(words[0], words.data());
    _exit(127);
  }
  return child;
}

template <class Condition>
bool eventually(Nanos limit, const Condition& condition) {
  for (const Instant end = now() + limit; now() < end; std::this_thread::sleep_for(5ms)) {
    if (condition()) return true;
  }
  return condition();
}

bool somebody_works_in(const fs::path& folder) {
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::error_code gone;
    const auto cwd = fs::read_symlink(process.path() / "cwd", gone);
    if (!gone && cwd.string().starts_with(folder.string())) return true;
  }
  return false;
}

TEST_F(CacheAside, CtrlCKeepsWhatWasMeasured) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const pid_t pid = start(command({"--quick", "--quiet"}));
  const auto second_variant_began = [&] {
    std::ifstream events(scratch_.results() / "cache-aside" / "latest" / "events.ndjson");
    const std::string text(std::istreambuf_iterator<char>(events), {});
    return text.find("cache_forever") != std::string::npos;
  };
  EXPECT_TRUE(eventually(30s, second_variant_began));
  kill(pid, SIGINT);
  int status = 0;
  waitpid(pid, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  std::ifstream file(scratch_.results() / "cache-aside" / "latest" / "result.json");
  const json result = json::parse(file, nullptr, false);
  ASSERT_TRUE(result.is_object());
  EXPECT_EQ(result["interrupted"], true);
  EXPECT_EQ(result["variants"][0]["verdict"], "holds");  // the first one had finished
  EXPECT_TRUE(scratch_.servers_folders_gone());
}

TEST_F(CacheAside, KillMinusNineLeavesNothingBehind) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  Random random(::testing::UnitTest::GetInstance()->random_seed() + 7u);
  for (int round = 0; round < 5; ++round) {
    const pid_t pid = start(command({"--quick", "--quiet"}));
    std::this_thread::sleep_for(
        std::chrono::milliseconds(random.below(1500)));  // a random moment is the point
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    EXPECT_TRUE(eventually(
        2s, [&] { return scratch_.servers_folders_gone() && !somebody_works_in(scratch_.path()); }))
        << "round " << round;
  }
}

TEST_F(CacheAside, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "cache-aside");
  EXPECT_EQ(description["variants"].size(), 7u);
}

}  // namespace
}  // namespace lab
