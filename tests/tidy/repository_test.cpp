// The house rules, applied to this repository.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "rules.h"
#include "test_support.h"

namespace lab::tidy {
namespace {

namespace fs = std::filesystem;
using test::text_of;
using testing::IsEmpty;

const fs::path kRoot = LAB_SOURCE_FOLDER;

/// What git knows of; a file that is not added yet is nobody's business.
Files tracked_files() {
  const auto listed =
      run_program({"git", "-C", kRoot, "-c", "safe.directory=*", "ls-files", "-z"}, 30s);
  Files files;
  if (!listed || listed->exit_status != 0) return files;
  std::istringstream names(listed->text);
  for (std::string name; std::getline(names, name, '\0');) {
    if (fs::exists(kRoot / name)) files.push_back({name, text_of(kRoot / name)});
  }
  return files;
}

std::set<std::string> compiled_files() {
  std::set<std::string> compiled;
  for (const auto& entry :
       nlohmann::json::parse(text_of(fs::path(LAB_BUILD_FOLDER) / "compile_commands.json"))) {
    compiled.insert(fs::path(entry.at("file").get<std::string>()).lexically_relative(kRoot));
  }
  return compiled;
}

std::string listed(const Complaints& complaints) {
  return fmt::format("{}\n", fmt::join(complaints, "\n"));
}

class Repository : public testing::Test {
 protected:
  static void SetUpTestSuite() { files_ = tracked_files(); }
  void SetUp() override {
    if (files_.empty())
      GTEST_SKIP() << "this copy has no git history, so nobody knows which files belong to it";
  }
  static inline Files files_;
};

TEST_F(Repository, KeepsItsTopLevel) {
  const auto complaints = check_top_level(files_);
  EXPECT_THAT(complaints, IsEmpty()) << listed(complaints);
}

TEST_F(Repository, KeepsItsDoors) {
  const auto complaints = check_doors(files_);
  EXPECT_THAT(complaints, IsEmpty()) << listed(complaints);
}

TEST_F(Repository, KeepsItsVariantsPure) {
  const auto complaints = check_variants(files_);
  EXPECT_THAT(complaints, IsEmpty()) << listed(complaints);
}

TEST_F(Repository, HasCompleteScenarios) {
  const auto complaints = check_scenarios(files_);
  EXPECT_THAT(complaints, IsEmpty()) << listed(complaints);
}

TEST_F(Repository, HasNoDeadFile) {
  const auto complaints = check_no_dead_file(files_, compiled_files());
  EXPECT_THAT(complaints, IsEmpty()) << listed(complaints);
}

TEST_F(Repository, PutsNothingOff) {
  const auto complaints = check_words(files_);
  EXPECT_THAT(complaints, IsEmpty()) << listed(complaints);
}

}  // namespace
}  // namespace lab::tidy
