// Each rule is seen to fail: a rule that never complains proves nothing.
#include "rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lab::tidy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string include(const std::string& path) {
  return "#pragma once\n#include <vector>\n#include \"" + path + "\"\n";
}

TEST(TopLevel, HasNoStrangers) {
  EXPECT_THAT(check_top_level({{"lab", ""}, {".ci/run", ""}, {"common/core/a.h", ""}}), IsEmpty());
  EXPECT_THAT(check_top_level({{"notes.txt", ""}, {"tools/a.sh", ""}, {"tools/b.sh", ""}}),
              ElementsAre("notes.txt: does not belong at the top level",
                          "tools: does not belong at the top level"));
}

TEST(Doors, AreOpenToTheRoomsAbove) {
  EXPECT_THAT(check_doors({{"common/infra/sql.h", include("core/result.h")},
                           {"common/infra/sql.cpp", include("infra/sql.h")},
                           {"common/cli/list.cpp", include("harness/flags.h")},
                           {"scenarios/cache/main.cpp", include("harness/scenario.h")},
                           {"scenarios/cache/variants/a.h", include("catalog.h")}}),
              IsEmpty());
}

TEST(Doors, AreClosedToTheRoomsBelow) {
  EXPECT_THAT(check_doors({{"common/core/log.cpp", include("harness/flags.h")}}),
              ElementsAre("common/core/log.cpp:3: core may not use \"harness/flags.h\""));
  EXPECT_THAT(check_doors({{"common/infra/sql.h", include("servers/server.h")}}),
              testing::SizeIs(1));
}

TEST(Doors, OfServersFaultsAndHarnessLeadToCoreAlone) {
  for (const std::string room : {"servers", "faults", "harness"}) {
    EXPECT_THAT(check_doors({{"common/" + room + "/a.h", include("core/clock.h")}}), IsEmpty());
    EXPECT_THAT(check_doors({{"common/" + room + "/a.h", include("domain/product.h")}}),
                testing::SizeIs(1))
        << room;
  }
}

TEST(Doors, DoNotLeadFromARoomToAScenario) {
  EXPECT_THAT(check_doors({{"common/cli/a.cpp", include("cache/catalog.h")},
                           {"scenarios/cache/catalog.h", ""}}),
              ElementsAre("common/cli/a.cpp:3: cli may not use \"cache/catalog.h\""));
}

TEST(Doors, DoNotLeadFromOneScenarioToAnother) {
  const Files both{{"scenarios/one/a.h", ""}, {"scenarios/two/b.h", ""}};
  for (const std::string path : {"two/b.h", "../two/b.h", "scenarios/two/b.h"}) {
    Files files = both;
    files.push_back({"scenarios/one/main.cpp", include(path)});
    EXPECT_THAT(check_doors(files),
                ElementsAre("scenarios/one/main.cpp:3: a scenario may not use \"" + path + "\""));
  }
}

TEST(Doors, BelongToRoomsThatExist) {
  EXPECT_THAT(check_doors({{"common/utils/a.h", ""}}),
              ElementsAre("common/utils/a.h: there is no room utils"));
}

TEST(Variants, MayUseTheSubjectAndThePlainRooms) {
  EXPECT_THAT(
      check_variants(
          {{"scenarios/cache/variants/a.h", include("catalog.h") + include("infra/redis.h")},
           {"scenarios/cache/main.cpp", include("harness/scenario.h") + "#define X\n"}}),
      IsEmpty());
}

TEST(Variants, MayNotUseTheHarness) {
  EXPECT_THAT(
      check_variants({{"scenarios/cache/variants/a.h", include("harness/load.h")}}),
      ElementsAre("scenarios/cache/variants/a.h:3: a variant may not use \"harness/load.h\""));
  EXPECT_THAT(check_variants({{"scenarios/cache/variants/a.h", include("faults/proxy.h")}}),
              testing::SizeIs(1));
}

TEST(Variants, MayNotDefineMacros) {
  EXPECT_THAT(check_variants({{"scenarios/cache/variants/a.h", "#pragma once\n#  define TTL 5\n"}}),
              ElementsAre("scenarios/cache/variants/a.h:2: a variant may not define a macro"));
}

TEST(Variants, FitOnAScreen) {
  std::string text;
  for (int i = 0; i < 80; ++i) text += "int x;\n";
  EXPECT_THAT(check_variants({{"scenarios/cache/variants/a.h", text}}), IsEmpty());
  EXPECT_THAT(
      check_variants({{"scenarios/cache/variants/a.h", text + "int y;\n"}}),
      ElementsAre(
          "scenarios/cache/variants/a.h: a variant fits on a screen; 81 lines are more than 80"));
}

Files complete_scenario() {
  Files files;
  for (const std::string part :
       {"README.md", "CMakeLists.txt", "main.cpp", "bench.cpp", "workload.h", "checks.h",
        "catalog.h", "variants/naive.h", "variants/best.h"}) {
    files.push_back({"scenarios/cache/" + part, ""});
  }
  return files;
}

TEST(Scenarios, ThatAreCompletePass) {
  EXPECT_THAT(check_scenarios(complete_scenario()), IsEmpty());
  EXPECT_THAT(check_scenarios({{"scenarios/CMakeLists.txt", ""}}), IsEmpty());
}

TEST(Scenarios, LackNothing) {
  const Files complete = complete_scenario();
  for (std::size_t i = 0; i < complete.size(); ++i) {
    Files files = complete;
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(check_scenarios(files), testing::SizeIs(1)) << "without " << complete[i].path;
  }
}

TEST(DeadFiles, AreThoseThatNobodyCompilesOrIncludes) {
  const Files files{{"common/core/a.h", ""},
                    {"common/core/a.cpp", include("core/a.h")},
                    {"common/core/old.h", ""},
                    {"common/core/old.cpp", ""}};
  EXPECT_THAT(check_no_dead_file(files, {"common/core/a.cpp"}),
              ElementsAre("common/core/old.h: nobody includes it",
                          "common/core/old.cpp: is not in the build"));
}

TEST(DeadFiles, AreNotThoseIncludedFromTheirOwnFolderOrFromOneThatIsSearched) {
  const Files files{{"tests/infra/helper.h", ""},
                    {"tests/support.h", ""},
                    {"tests/infra/main.cpp", include("support.h")},
                    {"tests/infra/a.cpp", include("helper.h")},
                    {"scenarios/cache/checks.h", ""},
                    {"tests/scenarios/b.cpp", include("checks.h")}};
  EXPECT_THAT(check_no_dead_file(
                  files, {"tests/infra/a.cpp", "tests/infra/main.cpp", "tests/scenarios/b.cpp"}),
              IsEmpty());
}

TEST(Words, ThatPutOffWorkAreForbidden) {
  const std::string later = std::string("TO") + "DO";
  EXPECT_THAT(check_words({{"a.cpp", "int x;\n// " + later + ": finish\n"}}),
              ElementsAre("a.cpp:2: \"" + later + "\": finish it or leave it out"));
  EXPECT_THAT(check_words({{"a.cpp", "// the methodology\n"}}), IsEmpty());
}

TEST(Words, ThatArePathsOfOneMachineAreForbidden) {
  const std::string path = std::string("/ho") + "me/someone/lab";
  EXPECT_THAT(check_words({{"README.md", "type: cd " + path}}), testing::SizeIs(1));
  EXPECT_THAT(check_words({{"README.md",
                            "in scenarios/ho"
                            "me/ and ../ho"
                            "me/"}}),
              IsEmpty());
}

}  // namespace
}  // namespace lab::tidy
