#pragma once
// A scenario as its user runs it: the executable with its flags, what it prints, what it leaves behind. The fixture of the
// *_run_test.cpp.

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "test_support.h"

namespace lab::test {

using Flags = std::vector<std::string>;

struct Ran {
  int exit_status = -1;
  std::string text;
};

/// `wanted`, but 1 in a build with sanitizers.
int rounds(int wanted);

/// Each test has a folder of its own, into which results and the servers' folders go; after it nothing may be left there
/// and nobody may be at work in it.
class ScenarioRun : public ::testing::Test {
 protected:
  /// `program`: its path; LAB_SCENARIO for the one that the test is about.
  explicit ScenarioRun(std::string program);
  ~ScenarioRun() override;
  void TearDown() override;

  const std::filesystem::path& folder() const { return folder_.path(); }
  /// The last run's folder: events.ndjson, result.json ….
  std::filesystem::path latest() const;

  /// The program in smoke size (--quick), its results kept in the folder, and these flags.
  Flags command(Flags flags) const;
  Ran run(Flags flags) const;             // what it prints as its result
  Ran run_and_listen(Flags flags) const;  // and what it says beside, as the user sees it
  /// With --json. The result; an empty object, and a failure, when there is none. No server's folder may be left.
  nlohmann::json run_json(Flags flags) const;

  /// Everyone of a run's, the servers too.
  bool nothing_left() const;
  /// Is a process of this folder's runs alive whose command line contains the text?
  bool somebody_runs(const std::string& text) const;
  /// Has the run that is under way written the text to events.ndjson?
  bool has_told(const std::string& text) const;

  /// Ctrl-C once the condition holds: the run ends with 130 and leaves nothing. The result that it kept.
  nlohmann::json interrupt(const Flags& flags, const std::function<bool()>& when) const;

  struct Kills {
    int rounds = 5;
    Flags flags{};
    std::function<bool()> after{};  // waited for before the random time begins
    Nanos within = 1500ms;          // the random time
  };
  /// kill -9, again and again: within two seconds nothing is left.
  void kill_at_random_moments(const Kills& kills) const;

  struct Proof {
    Flags broken;            // the variants that must break on nearly every seed
    int everyday = 1;        // seeds, without LAB_SEEDS
    Flags flags{};           // always
    Flags everyday_flags{};  // without LAB_SEEDS
  };
  /// Runs seed after seed, without speed: LAB_SEEDS (20 is the full proof) on LAB_BACKEND (embedded) and LAB_SQL. Nobody
  /// may break a promise, and the broken break on 19 of 20. Returns all results.
  std::vector<nlohmann::json> every_seed_tells_the_same_story(const Proof& proof) const;

  // Parts of a result; a failure of the test when it is not there.
  static const nlohmann::json& variant(const nlohmann::json& result, const std::string& name);
  static std::string verdict(const nlohmann::json& result, const std::string& variant,
                             const std::string& check);
  static std::string witness(const nlohmann::json& result, const std::string& variant,
                             const std::string& check);
  static double metric(const nlohmann::json& result, const std::string& variant,
                       const std::string& name);  // its median

 private:
  pid_t start(const Flags& flags) const;

  std::string program_;
  TestFolder folder_;
};

/// The result as a whole and every variant in it did as promised.
void expect_all_as_promised(const nlohmann::json& result);

}  // namespace lab::test
