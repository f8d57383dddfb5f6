#pragma once
// A variant as a process: how one is put together, what it is told, and its main.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "file_server.h"
#include "site.h"

namespace large_file_streaming {

/// Which of the three steps the variant is about; the checks judge that one. The paths of all are judged.
enum class Step { download, upload, root };

/// How a variant is made. What it leaves out is sendfile, stream_to_temp and the confined root.
struct Recipe {
  std::string variant;
  Step step = Step::download;
  std::function<std::unique_ptr<Download>()> download;  // none: the async server
  std::function<std::unique_ptr<Upload>(Folder&, std::string)> upload;
  std::function<std::unique_ptr<Root>(const std::string& folder)> root;
  bool gzip = false;             // the load asks for it
  bool whole_in_memory = false;  // so its speed is measured on files that have room there
};

struct ServeOrders {
  std::string variant;
  std::string folder;
  int port = 0;
  Patience patience{std::chrono::milliseconds(250), std::chrono::milliseconds(600),
                    std::chrono::seconds(10), std::chrono::seconds(10)};
  std::string points;  // the file of the crash points; none: nobody is to die
  std::string die_at;  // a point, or empty
  std::uint64_t passing = 1;
};
std::string to_json(const ServeOrders& orders);
ServeOrders from_json(const std::string& text);

/// The role's main.
int serve_main(const std::vector<Recipe>& recipes);

/// Throws Failure when there is none.
const Recipe& recipe_of(const std::vector<Recipe>& recipes, const std::string& variant);

}  // namespace large_file_streaming
