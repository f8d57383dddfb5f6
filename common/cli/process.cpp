#include "cli/process.h"

#include <Poco/Environment.h>
#include <Poco/Exception.h>
#include <Poco/Path.h>
#include <Poco/Pipe.h>
#include <Poco/PipeStream.h>
#include <Poco/Process.h>
#include <Poco/StreamCopier.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

Error unavailable(const std::string& program, const std::string& why) {
  return {ErrorCode::unavailable, Happened::no, fmt::format("cannot start {}: {}", program, why)};
}

Result<fs::path> locate(const Command& command) {
  fs::path program = command.at(0);
  if (command[0].find('/') == std::string::npos) program = find_program(command[0]);
  if (program.empty() || access(program.c_str(), X_OK) != 0)
    return unavailable(command[0], "no such program");
  return program;
}

Poco::ProcessHandle launch(const fs::path& program, const Command& command, const fs::path& folder,
                           Poco::Pipe* out, const Environment& added) {
  const Poco::Process::Args arguments(command.begin() + 1, command.end());
  const std::string where = (folder.empty() ? fs::current_path() : folder).string();
  return Poco::Process::launch(program.string(), arguments, where, nullptr, out, nullptr, added);
}

/// Poco gives 256 + signal for a program that a signal ended; a shell says 128 + signal.
int status_of(const Poco::ProcessHandle& handle) {
  const int status = handle.wait();
  return status >= 256 ? status - 128 : status;
}

}  // namespace

fs::path find_program(const std::string& name) {
  Poco::Path found;
  return Poco::Path::find(Poco::Environment::get("PATH", "/usr/bin:/bin"), name, found)
             ? found.toString()
             : "";
}

Result<int> call(const Command& command, const fs::path& folder, const Environment& added) {
  const auto program = locate(command);
  if (!program) return program.error();
  try {
    return status_of(launch(*program, command, folder, nullptr, added));
  } catch (const Poco::Exception& problem) {
    return unavailable(command[0], problem.displayText());
  }
}

Result<Output> read_output(const Command& command, const Environment& added) {
  const auto program = locate(command);
  if (!program) return program.error();
  try {
    Poco::Pipe pipe;
    const auto handle = launch(*program, command, {}, &pipe, added);
    Poco::PipeInputStream stream(pipe);
    Output output;
    Poco::StreamCopier::copyToString(stream, output.text);
    output.status = status_of(handle);
    return output;
  } catch (const Poco::Exception& problem) {
    return unavailable(command[0], problem.displayText());
  }
}

Error become(const Command& command) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  return unavailable(command[0], std::strerror(errno));
}

}  // namespace lab::cli
