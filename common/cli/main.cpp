// lab: the one program a user types. Measuring is done by the scenarios' own programs; this one finds,
// starts and explains.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "core/text.h"

namespace {

using namespace lab::cli;

/// The subcommands, what they were given, and the status of the one that ran.
class CommandLine {
 public:
  CommandLine() {
    app_.require_subcommand(1);
    app_.footer("Start with: ./lab run cache-aside");
    declare_looking();
    declare_running();
    declare_judging();
    declare_keeping();
  }

  int run(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const bool named = !words.empty() && !words[0].starts_with('-');
    if (named && !is_command(words[0])) return reject(words[0]);
    // A scenario's flags are not ours to understand, so they go past the parser.
    if (words.size() > 1 && words[0] == "run" && !words[1].starts_with('-')) {
      return lab::cli::run(words[1], {words.begin() + 2, words.end()});
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
      if (problem.get_exit_code() == 0) return app_.exit(problem);  // --help
      return complain(kUsage, fmt::format("{}; type: ./lab {}--help", problem.what(),
                                          named ? words[0] + " " : ""));
    }
    return status_;
  }

 private:
  /// A subcommand whose help ends in an example.
  CLI::App& add(const std::string& name, const std::string& what, const std::string& example,
                std::function<int()> action) {
    CLI::App& command = *app_.add_subcommand(name, what);
    command.footer("Example: ./lab " + example);
    command.callback([this, action = std::move(action)] { status_ = action(); });
    names_.push_back(name);
    return command;
  }

  void declare_looking() {
    auto& listing = add("list", "The scenarios and their questions", "list --json",
                        [this] { return list(as_json_); });
    listing.add_flag("--json", as_json_, "All that each scenario says of itself, as JSON");
    add("doctor", "What is installed, what is missing and how to get it", "doctor",
        [] { return doctor(); });
  }

  void declare_running() {
    auto& running = add("run", "Run a scenario; flags after its name are the scenario's own",
                        "run cache-aside --quick", [this] { return lab::cli::run(scenario_, {}); });
    running.add_option("SCENARIO", scenario_, "Which one: ./lab list")->required();
    running.add_option("FLAGS", "Passed on; which there are: ./lab run SCENARIO --help");

    auto& serving = add("serve-variant", "Be the server of one variant, for curl, wrk, a browser",
                        "serve-variant blocking-vs-async-io --variant async_multi", [this] {
                          return serve_variant(scenario_, variant_, port_,
                                               app_.get_subcommand("serve-variant")->remaining());
                        });
    serving.add_option("SCENARIO", scenario_, "Which one: ./lab list")->required();
    serving.add_option("--variant", variant_, "Which of its variants")->required();
    serving.add_option("--port", port_, "Of 127.0.0.1; default: any that is free")
        ->check(CLI::Range(0, 65535));
    serving.allow_extras();
    serving.footer(
        "Its first line on stdout is {\"listen\":\"127.0.0.1:PORT\"}; Ctrl-C or SIGTERM stops it.\n"
        "Example: ./lab serve-variant blocking-vs-async-io --variant async_multi");

    auto& profiling =
        add("profile",
            "CPU profile, flame graph and heap growth of one variant; --record keeps the first",
            "profile cache-aside --variant lease --quick", [this] {
              return profile(scenario_, variant_, app_.get_subcommand("profile")->remaining());
            });
    profiling.add_option("SCENARIO", scenario_, "Which one: ./lab list")->required();
    profiling.add_option("--variant", variant_, "Which of its variants")->required();
    profiling.allow_extras();
  }

  void declare_keeping() {
    auto& testing = add("test", "Build and run the test suite", "test --preset dev --label core",
                        [this] { return test(tests_); });
    testing.add_option("--preset", tests_.preset, "How it is built; dev is ASan and UBSan")
        ->capture_default_str()
        ->check(CLI::IsMember({"release", "dev", "tsan", "coverage"}));
    testing.add_option("--label", tests_.label, "Only tests whose label matches this expression");
    testing.add_option("--name", tests_.name, "Only tests whose name matches this expression");

    auto& documenting = add("docs", "Renew the generated parts of the documents", "docs --check",
                            [this] { return docs(root_, check_); });
    documenting.add_flag("--check", check_, "Change nothing; exit 1 when a part is out of date");
    documenting.add_option("--root", root_, "The copy of the lab to work on; default: this one");
  }

  void declare_judging() {
    auto& judging = add("judge", "Is this recorded history serializable, linearizable …?",
                        "judge --model list-append --history history.jsonl", [this] {
                          judging_.timeout = std::chrono::duration_cast<lab::Nanos>(
                              std::chrono::duration<double>(timeout_s_));
                          return judge(judging_);
                        });
    judging.add_option("--model", judging_.model, "What was operated on")
        ->required()
        ->check(CLI::IsMember({"list-append", "register", "kv"}));
    judging
        .add_option("--history", judging_.history,
                    "JSON lines, as docs/formats/history.md tells; - for stdin")
        ->required();
    judging.add_option("--level", judging_.level,
                       "Of list-append: read-uncommitted, read-committed, snapshot-isolation, "
                       "repeatable-read, serializable (the default), strict-serializable");
    judging.add_flag("--process-order", judging_.process_order,
                     "Of list-append: what a process did first must come first");
    judging.add_flag("--real-time-order", judging_.real_time_order,
                     "Of list-append: what had returned must come before what was invoked later");
    judging.add_option("--timeout-s", timeout_s_, "After that the answer is unknown")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1e6));
    judging.add_option("--html", judging_.html, "Where to write a timeline of the counter-example");
    judging.add_flag("--json", judging_.json, "The answer as one JSON object");
    judging.footer(
        "Exit status: 0 holds, 1 violated, 2 usage or a bad history, 4 unknown.\n"
        "Example: ./lab judge --model list-append --history history.jsonl");
  }

  bool is_command(const std::string& word) const {
    return std::find(names_.begin(), names_.end(), word) != names_.end();
  }

  int reject(const std::string& typed) const {
    const std::string near = lab::nearest(typed, names_);
    return complain(
        kUsage, fmt::format("there is no command {}; {}", typed,
                            near.empty() ? "type: ./lab --help" : "did you mean: ./lab " + near));
  }

  CLI::App app_{"The lab where system-design claims are proven.", "lab"};
  std::vector<std::string> names_;
  int status_ = 0;

  bool as_json_ = false;
  std::string scenario_, variant_;
  int port_ = 0;
  TestOptions tests_;
  JudgeOptions judging_;
  double timeout_s_ = 60;
  std::string root_;
  bool check_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    return CommandLine().run(argc, argv);
  } catch (const std::exception& problem) {
    return complain(kEnvironmentFailed, problem.what());
  }
}
