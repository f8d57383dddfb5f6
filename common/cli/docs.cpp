#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/commands.h"
#include "cli/project.h"
#include "cli/regions.h"

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& root, const std::string& path) {
  std::ifstream file(root / path, std::ios::binary);
  if (!file) return Error{ErrorCode::not_found, Happened::no, "cannot read " + path};
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string> documents(const fs::path& root) {
  std::vector<std::string> found;
  for (const char* page : {"README.md", "CONTRIBUTING.md"}) {
    if (fs::exists(root / page)) found.emplace_back(page);
  }
  for (const char* folder : {"common", "docs", "labs", "results", "scenarios", "tests"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() == ".md") found.push_back(fs::relative(entry.path(), root));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// How many of the document's regions are not as they should be; says which.
int visit(const fs::path& root, const std::string& path, bool check) {
  const auto read = [&root](const std::string& other) { return read_file(root, other); };
  const auto old = read(path);
  const auto renewed = old ? refresh(*old, path, read) : Result<Document>(old.error());
  if (!renewed) {
    complain(kPromiseBroken, fmt::format("{}: {}", path, renewed.error().message));
    return 1;
  }
  int stale = 0;
  for (const auto& region : renewed->regions) {
    if (!region.stale) continue;
    ++stale;
    fmt::print("{}:{}: {} {}\n", path, region.line,
               check ? "out of date:" : "renewed:", region.mark);
  }
  if (check || stale == 0) return stale;
  auto files = renewed->pictures;
  files[path] = renewed->text;
  for (const auto& [name, text] : files) {
    std::ofstream file(root / name, std::ios::binary);
    file << text;
    if (file.flush()) continue;
    complain(kPromiseBroken, "cannot write " + name);
    return 1;
  }
  return 0;
}

}  // namespace

int docs(const fs::path& root, bool check) {
  const fs::path top = root.empty() ? this_project().root : root;
  int stale = 0;
  for (const auto& path : documents(top)) stale += visit(top, path, check);
  if (stale == 0) return 0;
  if (check) complain(kPromiseBroken, "to renew them, type: ./lab docs");
  return kPromiseBroken;
}

}  // namespace lab::cli
