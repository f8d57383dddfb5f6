#include "harness/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <thread>

namespace lab::harness {
namespace {

using ::testing::MatchesRegex;

TEST(Machine, IsKnown) {
  const Machine machine = this_machine();
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_GE(machine.cpus, 1);
  EXPECT_GT(machine.memory_mb, 100);
  EXPECT_TRUE(machine.kernel.starts_with("Linux ")) << machine.kernel;
  EXPECT_FALSE(machine.system.empty());
  EXPECT_THAT(machine.compiler, MatchesRegex("(clan)?g\\+\\+ [0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(machine.build_type.empty());
  EXPECT_GE(machine.load_average, 0);
}

TEST(Machine, AdmitsItsSanitizers) {
#if defined(__SANITIZE_ADDRESS__)
  EXPECT_NE(this_machine().sanitizers.find("address"), std::string::npos);
  EXPECT_FALSE(may_measure());
#elif defined(__SANITIZE_THREAD__)
  EXPECT_NE(this_machine().sanitizers.find("thread"), std::string::npos);
  EXPECT_FALSE(may_measure());
#else
  EXPECT_EQ(this_machine().sanitizers, "");
#endif
}

TEST(Machine, MeasuresOnlyInARelease) {
  EXPECT_TRUE(this_machine().build_type == "release" || !may_measure());
#ifndef NDEBUG
  EXPECT_FALSE(may_measure());
#endif
}

TEST(Commit, IsSevenDigitsOrUnknown) {
  EXPECT_THAT(commit(), MatchesRegex("[0-9a-f]{7}\\+?|unknown"));
}

TEST(Placement, SharesASingleCpu) {
  const Placement placement = choose_placement({3});
  EXPECT_EQ(placement.load, std::vector{3});
  EXPECT_EQ(placement.servers, std::vector{3});
  EXPECT_EQ(placement.text, "all on CPU 3");
}

TEST(Placement, GivesTheServersTheLastOfFewCpus) {
  EXPECT_EQ(choose_placement({0, 1}).text, "load on CPU 0, servers on CPU 1");
  EXPECT_EQ(choose_placement({0, 1, 2}).text, "load on CPUs 0-1, servers on CPU 2");
}

TEST(Placement, GivesTheServersTheUpperHalfOfMany) {
  EXPECT_EQ(choose_placement({0, 1, 2, 3}).text, "load on CPUs 0-1, servers on CPUs 2-3");
  EXPECT_EQ(choose_placement({0, 2, 4, 6, 8}).text, "load on CPUs 0,2,4, servers on CPUs 6,8");
}

TEST(Placement, MovesTheProcessAndWhatItStarts) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const Placement placement = choose_placement();
  apply_to_this_process(placement);
  int usable = 0;
  std::thread([&usable] {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) usable = CPU_COUNT(&set);
  }).join();
  EXPECT_EQ(usable, static_cast<int>(placement.load.size()));
  sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace lab::harness
