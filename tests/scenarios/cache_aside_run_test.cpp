// cache_aside as its user runs it: the executable, in smoke size, on embedded and real backends; bad input; Ctrl-C; kill -9.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "scenario_run.h"
#include "servers/server.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_all_as_promised;
using test::Flags;
using test::Ran;
using ::testing::HasSubstr;

class CacheAside : public test::ScenarioRun {
 protected:
  CacheAside() : ScenarioRun(LAB_SCENARIO) {}
};

const std::vector<std::string> kSevenVariants{
    "no_cache", "cache_forever",         "aside_ttl", "aside_invalidate", "single_flight",
    "lease",    "stale_while_revalidate"};

void expect_the_lesson(const json& result) {
  expect_all_as_promised(result);
  std::vector<std::string> names;
  for (const auto& variant : result["variants"]) names.push_back(variant["name"]);
  EXPECT_EQ(names, kSevenVariants);
}

TEST_F(CacheAside, OnRealServersEveryVariantDoesAsPromised) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
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
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_postgres());
  const json result =
      run_json({"--sql", "postgres", "--rounds", "0", "--variant", "aside_invalidate,lease"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
}

TEST_F(CacheAside, WithRedisPausedOnlyATimeLimitHelps) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  // An outage longer than any stall of a busy machine.
  const json result = run_json({"--fault", "redis-pause", "--rounds", "0", "--duration", "2s",
                                "--variant", "aside_ttl,stale_while_revalidate"});
  EXPECT_EQ(verdict(result, "aside_ttl", "available"), "violated")
      << witness(result, "aside_ttl", "available");
  EXPECT_EQ(verdict(result, "stale_while_revalidate", "available"), "holds")
      << witness(result, "stale_while_revalidate", "available");
}

TEST_F(CacheAside, GarbageFoolsOnlyTheVariantThatBelievesAnyBytes) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  // Most damage hits the protocol and is noticed; long enough for some to hit what is stored.
  const json result = run_json({"--fault", "redis-garbage", "--rounds", "0", "--duration", "3s",
                                "--variant", "cache_forever,single_flight"});
  EXPECT_EQ(verdict(result, "cache_forever", "provenance"), "violated");
  EXPECT_EQ(verdict(result, "single_flight", "provenance"), "holds");
}

TEST_F(CacheAside, AWriterKilledBeforeItsDeleteLeavesAnEntryThatOnlyATtlRemoves) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result =
      run_json({"--fault", "app-crash", "--rounds", "0", "--variant", "aside_invalidate,lease"});
  EXPECT_EQ(verdict(result, "aside_invalidate", "convergence"), "violated");
  EXPECT_EQ(verdict(result, "lease", "convergence"), "holds")
      << witness(result, "lease", "convergence");
}

TEST_F(CacheAside, AnOldDumpBringsStaleEntriesBack) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result =
      run_json({"--fault", "redis-old-dump", "--rounds", "0", "--variant", "cache_forever,lease"});
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
}

TEST_F(CacheAside, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  every_seed_tells_the_same_story(
      {.broken = {"cache_forever", "aside_ttl", "aside_invalidate"}, .everyday = 2});
}

TEST_F(CacheAside, AUsersOwnRedisIsNeverKilled) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  servers::Supervisor supervisor;
  auto redis = supervisor.redis({.tcp = true});
  ASSERT_TRUE(redis) << describe(redis.error());
  const std::string url = "redis://127.0.0.1:" + std::to_string((*redis)->port());
  const int pid = (*redis)->pid();
  const Ran ran = run({"--redis-url", url, "--rounds", "0", "--json", "--duration", "2s",
                       "--variant", "cache_forever,lease"});
  const json result = json::parse(ran.text, nullptr, false);
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
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
  LAB_NEEDS(servers::find_mariadb());
  const Ran ran = run_and_listen({"--quiet", "--redis-url", "redis://127.0.0.1:1"});
  EXPECT_EQ(ran.exit_status, 3);
  EXPECT_THAT(ran.text, HasSubstr("cannot use the Redis at"));
}

/// A run whose result cannot be kept.
Ran run_into(const fs::path& results) {
  const auto output =
      run_program({LAB_SCENARIO, "--results", results.string(), "--backend", "embedded", "--quick",
                   "--rounds", "0", "--variant", "no_cache", "--json"},
                  60s);
  return output ? Ran{output->exit_status, output->text} : Ran{};
}

TEST_F(CacheAside, AnUnwritableResultsFolderLosesNothing) {
  const fs::path file = folder() / "a-file";
  std::ofstream(file) << "not a folder";
  const Ran ran = run_into(file / "results");
  EXPECT_EQ(ran.exit_status, 3);
  const json result = json::parse(ran.text, nullptr, false);
  ASSERT_TRUE(result.is_object());  // the result itself is told all the same
  EXPECT_THAT(result["notes"].dump(), HasSubstr("could not be kept"));
}

TEST_F(CacheAside, AFullDiskLosesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount a small tmpfs";
  const fs::path small = folder() / "small";
  fs::create_directory(small);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "cannot mount here";
  std::ofstream(small / "filler") << std::string(16 * 1024, 'x');
  const Ran ran = run_into(small / "results");
  umount(small.c_str());
  EXPECT_EQ(ran.exit_status, 3);
  EXPECT_TRUE(json::parse(ran.text, nullptr, false).is_object());
}

TEST_F(CacheAside, CtrlCKeepsWhatWasMeasured) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  const json result = interrupt({}, [&] { return has_told("cache_forever"); });
  EXPECT_EQ(result["variants"][0]["verdict"], "holds");  // the first one had finished
}

TEST_F(CacheAside, KillMinusNineLeavesNothingBehind) {
  LAB_NEEDS(servers::find_redis());
  LAB_NEEDS(servers::find_mariadb());
  kill_at_random_moments({});
}

TEST_F(CacheAside, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "cache-aside");
  EXPECT_EQ(description["variants"].size(), 7u);
}

}  // namespace
}  // namespace lab
