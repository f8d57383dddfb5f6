#include "scenario_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <thread>

#include "core/random.h"
#include "core/subprocess.h"

namespace lab::test {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr auto kRunLimit = 110s;
constexpr auto kGone = 2s;  // what the lab promises after kill -9

std::string from_environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

/// With which command lines processes work in the folder: it is their place, or servers' folders go there.
std::vector<std::string> at_work_in(const fs::path& folder) {
  const std::string variable = "LAB_TMPDIR=" + folder.string();
  std::vector<std::string> found;
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::error_code gone;
    const auto place = fs::read_symlink(process.path() / "cwd", gone).string();
    if (place.starts_with(folder.string()) ||
        text_of(process.path() / "environ").find(variable) != std::string::npos)
      found.push_back(text_of(process.path() / "cmdline"));
  }
  return found;
}

std::string told(const json& result, const std::string& variant_name, const json& variant,
                 const std::string& check, const char* what) {
  for (const auto& found : variant.value("checks", json::array())) {
    if (found["name"] == check) return found[what];
  }
  ADD_FAILURE() << variant_name << " has no check " << check << ": " << result.dump(1);
  return "absent";
}

}  // namespace

int rounds(int wanted) {
  return sanitized() ? std::min(wanted, 1) : wanted;
}

ScenarioRun::ScenarioRun(std::string program) : program_(std::move(program)) {
  fs::create_directory(folder() / "tmp");
  setenv("LAB_TMPDIR", (folder() / "tmp").c_str(), 1);
}

ScenarioRun::~ScenarioRun() {
  unsetenv("LAB_TMPDIR");
}

void ScenarioRun::TearDown() {
  EXPECT_TRUE(eventually(kGone, [&] { return nothing_left(); }));
}

fs::path ScenarioRun::latest() const {
  std::string name = fs::path(program_).filename();
  std::replace(name.begin(), name.end(), '_', '-');
  return folder() / "results" / name / "latest";
}

Flags ScenarioRun::command(Flags flags) const {
  Flags argv{program_, "--quick", "--results", (folder() / "results").string()};
  argv.insert(argv.end(), flags.begin(), flags.end());
  return argv;
}

Ran ScenarioRun::run(Flags flags) const {
  const auto output = run_program(command(std::move(flags)), kRunLimit);
  if (output) return {output->exit_status, output->text};
  ADD_FAILURE() << describe(output.error());
  return {};
}

Ran ScenarioRun::run_and_listen(Flags flags) const {
  Flags argv{"sh", "-c", "exec \"$@\" 2>&1", "sh"};
  for (auto& word : command(std::move(flags))) argv.push_back(std::move(word));
  const auto output = run_program(argv, kRunLimit);
  return output ? Ran{output->exit_status, output->text} : Ran{-1, describe(output.error())};
}

json ScenarioRun::run_json(Flags flags) const {
  flags.emplace_back("--json");
  const Ran ran = run(std::move(flags));
  EXPECT_TRUE(fs::is_empty(folder() / "tmp")) << "a server's folder was left behind";
  json result = json::parse(ran.text, nullptr, false);
  if (!result.is_object()) {
    ADD_FAILURE() << "no JSON object: " << ran.text;
    return json::object();
  }
  EXPECT_EQ(result["exit_status"], ran.exit_status);
  return result;
}

bool ScenarioRun::nothing_left() const {
  return fs::is_empty(folder() / "tmp") && at_work_in(folder()).empty();
}

bool ScenarioRun::somebody_runs(const std::string& text) const {
  const auto lines = at_work_in(folder());
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

bool ScenarioRun::has_told(const std::string& text) const {
  return text_of(latest() / "events.ndjson").find(text) != std::string::npos;
}

pid_t ScenarioRun::start(const Flags& flags) const {
  Flags argv = command(flags);
  argv.emplace_back("--quiet");
  std::vector<char*> words;
  for (auto& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execv(words[0], words.data());
    _exit(127);
  }
  return child;
}

json ScenarioRun::interrupt(const Flags& flags, const std::function<bool()>& when) const {
  const pid_t pid = start(flags);
  EXPECT_TRUE(eventually(30s, when));
  kill(pid, SIGINT);
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_TRUE(fs::is_empty(folder() / "tmp")) << "a server's folder was left behind";
  const json result = json::parse(text_of(latest() / "result.json"), nullptr, false);
  EXPECT_TRUE(result.is_object());
  if (!result.is_object()) return json::object();
  EXPECT_EQ(result["interrupted"], true);
  return result;
}

void ScenarioRun::kill_at_random_moments(const Kills& kills) const {
  Random random(::testing::UnitTest::GetInstance()->random_seed() + 7u);
  for (int round = 0; round < rounds(kills.rounds); ++round) {
    const pid_t pid = start(kills.flags);
    if (kills.after) {
      EXPECT_TRUE(eventually(30s, kills.after));
    }
    const auto limit = static_cast<std::uint64_t>(kills.within / 1ms);
    std::this_thread::sleep_for(
        std::chrono::milliseconds(random.below(limit)));  // a random moment is the point
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    EXPECT_TRUE(eventually(kGone, [&] { return nothing_left(); })) << "round " << round;
  }
}

std::vector<json> ScenarioRun::every_seed_tells_the_same_story(const Proof& proof) const {
  const char* wanted = std::getenv("LAB_SEEDS");
  const int seeds = wanted ? std::max(1, std::atoi(wanted)) : rounds(proof.everyday);
  Flags flags = proof.flags;
  flags.insert(flags.end(),
               {"--backend", from_environment("LAB_BACKEND", "embedded"), "--rounds", "0"});
  if (const auto sql = from_environment("LAB_SQL", ""); !sql.empty())
    flags.insert(flags.end(), {"--sql", sql});
  if (!wanted) flags.insert(flags.end(), proof.everyday_flags.begin(), proof.everyday_flags.end());

  std::vector<json> results;
  std::map<std::string, int> broke;
  for (int seed = 1; seed <= seeds; ++seed) {
    Flags with_seed = flags;
    with_seed.insert(with_seed.end(), {"--seed", std::to_string(seed)});
    results.push_back(run_json(std::move(with_seed)));
    for (const auto& variant : results.back()["variants"]) {
      const bool must_break = std::string(variant["promise"]).starts_with("must_break");
      broke[variant["name"]] += must_break && variant["as_promised"] == "holds" ? 1 : 0;
      EXPECT_NE(variant["as_promised"], "violated") << "seed " << seed << ": " << variant.dump(1);
    }
  }
  for (const auto& name : proof.broken) {
    std::printf("%s broke in %d of %d seeds\n", name.c_str(), broke[name], seeds);
    EXPECT_GE(broke[name] * 20, seeds * 19)
        << name << " broke in " << broke[name] << " of " << seeds << " seeds";
  }
  return results;
}

const json& ScenarioRun::variant(const json& result, const std::string& name) {
  static const json none = json::object();
  if (const auto all = result.find("variants"); all != result.end()) {
    for (const auto& found : *all) {
      if (found["name"] == name) return found;
    }
  }
  ADD_FAILURE() << "no variant " << name;
  return none;
}

std::string ScenarioRun::verdict(const json& result, const std::string& name,
                                 const std::string& check) {
  return told(result, name, variant(result, name), check, "verdict");
}

std::string ScenarioRun::witness(const json& result, const std::string& name,
                                 const std::string& check) {
  return told(result, name, variant(result, name), check, "witness");
}

double ScenarioRun::metric(const json& result, const std::string& name, const std::string& what) {
  for (const auto& found : variant(result, name).value("metrics", json::array())) {
    if (found["name"] == what) return found["median"];
  }
  ADD_FAILURE() << name << " has no " << what;
  return -1;
}

void expect_all_as_promised(const json& result) {
  EXPECT_EQ(result.value("verdict", ""), "holds") << result.dump(1);
  for (const auto& variant : result.value("variants", json::array()))
    EXPECT_EQ(variant["as_promised"], "holds") << variant.dump(1);
}

}  // namespace lab::test
