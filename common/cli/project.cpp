#include "cli/project.h"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/subprocess.h"
#include "core/text.h"

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

std::string exchanged(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

std::string suggestion(const Project& project, const std::string& typed) {
  std::vector<std::string> names;
  for (const auto& program : built_scenarios(project)) names.push_back(typed_name(program));
  const std::string near = lab::nearest(typed_name(typed), names);
  return near.empty() ? "type: lab list"
                      : fmt::format("did you mean {}? All of them: lab list", near);
}

}  // namespace

Project this_project() {
  return {LAB_SOURCE_FOLDER, fs::read_symlink("/proc/self/exe").parent_path()};
}

std::string typed_name(std::string scenario) {
  return exchanged(std::move(scenario), '_', '-');
}
std::string program_name(std::string scenario) {
  return exchanged(std::move(scenario), '-', '_');
}

std::vector<std::string> built_scenarios(const Project& project) {
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& folder : fs::directory_iterator(project.root / "scenarios", none)) {
    const std::string name = folder.path().filename();
    if (fs::exists(folder.path() / "main.cpp") && fs::exists(project.bin / name))
      found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<std::string> find_scenario(const Project& project, const std::string& typed) {
  const auto built = built_scenarios(project);
  const std::string program = program_name(typed);
  if (std::find(built.begin(), built.end(), program) != built.end()) return program;
  return Error{ErrorCode::not_found, Happened::no,
               fmt::format("there is no scenario {}; {}", typed, suggestion(project, typed))};
}

Result<nlohmann::json> describe_scenario(const Project& project, const std::string& program) {
  const auto output = run_program({(project.bin / program).string(), "--describe"}, 10s);
  if (!output) return output.error();
  auto description = nlohmann::json::parse(output->text, nullptr, /*allow_exceptions=*/false);
  if (output->exit_status == 0 && description.is_object()) {
    return {boost::system::in_place_value,
            std::move(description)};  // JSON would also convert to Error
  }
  return Error{ErrorCode::protocol, Happened::no,
               fmt::format("{} --describe exited with {} and {}", program, output->exit_status,
                           description.is_object() ? "an object" : "no JSON object")};
}

}  // namespace lab::cli
