// queue_retries as its user runs it: the executable, in smoke size, on embedded and real backends, under every fault;
// Ctrl-C; kill -9.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
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
using ::testing::HasSubstr;

const std::string kProgram = LAB_QUEUE_RETRIES;

/// A folder that goes with the test; servers' folders and results go in here, so that leftovers are seen.
class Scratch {
 public:
  Scratch() {
    char pattern[] = "/tmp/queue-retries-test-XXXXXX";
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

class QueueRetries : public ::testing::Test {
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

const std::vector<std::string> kBroken{"pop_and_work", "ack_first", "reliable_lease"};

void expect_the_lesson(const json& result) {
  EXPECT_EQ(result["verdict"], "holds") << result.dump(1);
  for (const auto& variant : result["variants"])
    EXPECT_EQ(variant["as_promised"], "holds") << variant.dump(1);
}

double metric(const json& result, const std::string& variant, const std::string& name) {
  for (const auto& v : result["variants"]) {
    if (v["name"] != variant) continue;
    for (const auto& m : v["metrics"]) {
      if (m["name"] == name) return m["samples"][0];
    }
  }
  return -1;
}

TEST_F(QueueRetries, OnRealServersEveryVariantDoesAsPromised) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result = run_json({"--backend", "real", "--rounds", "1"});
  expect_the_lesson(result);
  EXPECT_THAT(witness(result, "pop_and_work", "no-job-lost"), HasSubstr("it had no effect"));
  for (const char* naive : {"pop_and_work", "ack_first"}) {
    EXPECT_GE(metric(result, naive, "jobs_lost") * 20, metric(result, naive, "worker_deaths"))
        << naive << " loses at least one job in twenty kills";
  }
  for (const char* point : {"after_claim", "mid_work", "after_effect", "after_ack"})
    EXPECT_GE(metric(result, "lease_fenced", std::string("deaths_") + point), 1) << point;
  EXPECT_GT(metric(result, "lease_fenced", "drained_per_second"), 0);
}

TEST_F(QueueRetries, OnTheEmbeddedBackendEveryVariantDoesAsPromised) {
  const json result = run_json({"--backend", "embedded", "--rounds", "1"});
  expect_the_lesson(result);
  EXPECT_THAT(result["notes"].dump(), HasSubstr("streams_group is left out"));
}

TEST_F(QueueRetries, AWorkerThatSleepsPastItsLeaseDoesItTwiceUnlessTheEffectIsFenced) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result = run_json({"--fault", "worker-pause", "--rounds", "0", "--variant",
                                "reliable_lease,lease_fenced,streams_group"});
  expect_the_lesson(result);
  EXPECT_GE(metric(result, "reliable_lease", "jobs_done_twice"), 1);
  EXPECT_GE(metric(result, "lease_fenced", "completions_rejected"), 1);
}

TEST_F(QueueRetries, ABrokerKilledComesBackWithWhatItWroteDown) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result = run_json(
      {"--fault", "broker-kill", "--rounds", "0", "--variant", "lease_fenced,streams_group"});
  expect_the_lesson(result);
  EXPECT_THAT(result["servers"].dump(), HasSubstr("append-only file, fsync every second"));
}

TEST_F(QueueRetries, ABrokerThatWroteNothingDownLosesWhatItHad) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const json result = run_json({"--fault", "broker-kill-volatile", "--rounds", "0", "--variant",
                                "pop_and_work,lease_fenced"});
  EXPECT_EQ(verdict(result, "lease_fenced", "no-job-lost"), "violated");
  EXPECT_THAT(result["servers"].dump(), HasSubstr("none: no append-only file"));
}

TEST_F(QueueRetries, ResetConnectionsLoseNothing) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_postgres());
  const json result = run_json({"--fault", "broker-reset", "--sql", "postgres", "--rounds", "0",
                                "--variant", "lease_fenced,streams_group"});
  expect_the_lesson(result);
}

/// Every seed must tell the same story. LAB_SEEDS=20 is the full proof; the default is for every day.
TEST_F(QueueRetries, OnEverySeedTheBrokenBreakAndTheOthersAreNotAccused) {
  const char* wanted = std::getenv("LAB_SEEDS");
  const int seeds = wanted ? std::max(1, std::atoi(wanted)) : 1;
  const std::string backend = std::getenv("LAB_BACKEND") ? std::getenv("LAB_BACKEND") : "embedded";
  const std::string fault = std::getenv("LAB_FAULT") ? std::getenv("LAB_FAULT") : "worker-kill";
  std::map<std::string, int> broke;
  for (int seed = 1; seed <= seeds; ++seed) {
    const json result = run_json(
        {"--seed", std::to_string(seed), "--backend", backend, "--fault", fault, "--rounds", "0"});
    for (const auto& variant : result["variants"]) {
      const std::string name = variant["name"];
      const bool must_break = std::string(variant["promise"]).starts_with("must_break");
      broke[name] += must_break && variant["as_promised"] == "holds" ? 1 : 0;
      EXPECT_NE(variant["as_promised"], "violated") << "seed " << seed << ": " << variant.dump(1);
    }
  }
  for (const auto& name : kBroken) {
    std::printf("%s broke in %d of %d seeds\n", name.c_str(), broke[name], seeds);
    if (fault != "worker-kill") continue;
    EXPECT_GE(broke[name] * 20, seeds * 19)
        << name << " broke in " << broke[name] << " of " << seeds << " seeds";
  }
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

TEST_F(QueueRetries, CtrlCKeepsWhatWasMeasured) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  const pid_t pid = start(command({"--quick", "--quiet"}));
  const auto second_variant_began = [&] {
    std::ifstream events(scratch_.results() / "queue-retries" / "latest" / "events.ndjson");
    const std::string text(std::istreambuf_iterator<char>(events), {});
    return text.find("ack_first") != std::string::npos;
  };
  EXPECT_TRUE(eventually(30s, second_variant_began));
  kill(pid, SIGINT);
  int status = 0;
  waitpid(pid, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  std::ifstream file(scratch_.results() / "queue-retries" / "latest" / "result.json");
  const json result = json::parse(file, nullptr, false);
  ASSERT_TRUE(result.is_object());
  EXPECT_EQ(result["interrupted"], true);
  EXPECT_FALSE(result["variants"][0]["checks"].empty());  // the first one had finished
  EXPECT_TRUE(scratch_.servers_folders_gone());
}

TEST_F(QueueRetries, KillMinusNineLeavesNothingBehind) {
  NEEDS(servers::find_redis());
  NEEDS(servers::find_mariadb());
  Random random(::testing::UnitTest::GetInstance()->random_seed() + 7u);
  for (int round = 0; round < 3; ++round) {
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

TEST_F(QueueRetries, DescribesItself) {
  const json description = json::parse(run({"--describe"}).text, nullptr, false);
  ASSERT_TRUE(description.is_object());
  EXPECT_EQ(description["name"], "queue-retries");
  EXPECT_EQ(description["variants"].size(), 6u);
}

}  // namespace
}  // namespace lab
