#include "cli/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/regions.h"

namespace lab::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kCharted = R"({"schema":"lab.result/1","variants":[
  {"name":"slow","ranked":false,"metrics":[{"name":"per_second","median":250}]},
  {"name":"fast","ranked":true,"metrics":[{"name":"per_second","median":1000},{"name":"beside","median":500}]}]})";

TEST(BarChart, HasABarAMetricAndMarksWhoBrokeACheck) {
  const std::string svg = bar_chart(kCharted, {"per_second", "beside"}).value();
  EXPECT_THAT(svg, HasSubstr("slow ✗"));
  EXPECT_THAT(svg, HasSubstr(">fast</text>"));
  EXPECT_THAT(svg, HasSubstr("width=\"440.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"220.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"110.0\""));
  EXPECT_THAT(svg, HasSubstr(">1,000</text>"));
  EXPECT_THAT(svg, HasSubstr(">–</text>")) << "slow has no such metric";
  EXPECT_THAT(svg, Not(HasSubstr(">0</text>")));
}

TEST(BarChart, OfWhatIsNotThereIsAnError) {
  EXPECT_THAT(bar_chart(kCharted, {"nonsense"}).error().message, HasSubstr("nonsense"));
  EXPECT_FALSE(bar_chart(kCharted, {}));
  EXPECT_FALSE(bar_chart("{}", {"per_second"}));
  EXPECT_FALSE(bar_chart("nonsense", {"per_second"}));
}

TEST(Picture, IsStaleUntilItsFileIsAsItShouldBe) {
  std::string on_disk;
  const auto renewed = [&](const std::string& text) {
    return refresh(text, "docs/page.md",
                   [&](const std::string& path) -> Result<std::string> {
                     if (path == "r.json") return kCharted;
                     if (path == "docs/p.svg" && !on_disk.empty()) return on_disk;
                     return Error{ErrorCode::not_found, Happened::no, "cannot read " + path};
                   })
        .value();
  };
  const Document first = renewed("<!-- picture: r.json p.svg per_second -->\n<!-- /picture -->\n");
  EXPECT_TRUE(first.regions.at(0).stale);
  EXPECT_THAT(first.text, HasSubstr("![per_second](p.svg)\n"));
  EXPECT_TRUE(renewed(first.text).regions.at(0).stale);
  on_disk = first.pictures.at("docs/p.svg");
  EXPECT_FALSE(renewed(first.text).regions.at(0).stale);
  on_disk += " ";
  EXPECT_TRUE(renewed(first.text).regions.at(0).stale);
}

}  // namespace
}  // namespace lab::cli
