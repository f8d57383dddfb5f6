#include "variant_server.h"

#include <malloc.h>
#include <pthread.h>

#include <nlohmann/json.hpp>

#include "domain/seed.h"
#include "net/http_api.h"
#include "net/loopback.h"
#include "net/server_process.h"
#include "server.h"
#include "upload_folder.h"

namespace large_file_streaming {
namespace {

using lab::actors::CrashPoints;

/// Address space is what RLIMIT_AS counts. glibc reserves 64 MiB of it a thread and 8 MiB for its stack, and uses little of
/// either; the limit is to be about the files.
void reserve_little() {
#ifndef __SANITIZE_ADDRESS__
  ::mallopt(M_ARENA_MAX, 1);
  // A large buffer goes back to the kernel when it is freed, so that a peak is one of buffers that were there together. One
  // of the usual size is kept: to ask for it again and again costs a page fault for every page that is sent.
  ::mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
  pthread_attr_t small;
  ::pthread_attr_init(&small);
  ::pthread_attr_setstacksize(&small, 256 * 1024);
  ::pthread_setattr_default_np(&small);
  ::pthread_attr_destroy(&small);
#endif
}

std::unique_ptr<CrashPoints> crash_points(const ServeOrders& orders) {
  if (orders.points.empty()) return nullptr;
  auto points = std::make_unique<CrashPoints>(orders.points, upload_points());
  if (!orders.die_at.empty()) points->die_at(orders.die_at, orders.passing);
  return points;
}

/// Beside the files: what every HTTP server of the lab answers, its products without a cache. Thread-safe.
class Pages {
 public:
  Pages() {
    for (auto& stocked : lab::domain::seed_products(100, 7))
      shop_.push_back(std::move(stocked.product));
  }
  lab::net::Response answer(const lab::net::Request& request) {
    lab::net::Response answer;
    api_.answer(request, [&answer](auto given) { answer = std::move(given); });  // at once
    return answer;
  }

 private:
  std::vector<lab::domain::Product> shop_;
  lab::net::ShopProducts products_{shop_};
  lab::net::ApiCounters counters_;
  lab::net::HttpApi api_{products_, [](const auto& done) { done(); }, counters_};
};

int serve(const std::vector<Recipe>& recipes, const ServeOrders& orders) {
  reserve_little();
  const Recipe& recipe = recipe_of(recipes, orders.variant);
  const auto download = recipe.download ? recipe.download() : nullptr;
  const auto root = recipe.root(orders.folder);
  DiskFolder disk(orders.folder);
  const auto points = crash_points(orders);
  std::optional<ObservedFolder> observed;
  if (points) observed.emplace(disk, *points);
  Folder& folder = observed ? static_cast<Folder&>(*observed) : disk;
  Pages pages;
  Site site({*root, folder, recipe.upload,
             [&pages](const auto& request) { return pages.answer(request); },
             download && download->can_gzip()});
  const auto listening = lab::net::listen_on_loopback(orders.port);
  File listener(listening.socket);
  lab::net::tell_port(listening.port);
  if (download) {
    serve_blocking(listener, site, *download, orders.patience);
  } else {
    serve_async(std::move(listener), site, orders.patience);
  }
  return 0;
}

}  // namespace

std::string to_json(const ServeOrders& orders) {
  return nlohmann::json{{"variant", orders.variant},
                        {"folder", orders.folder},
                        {"port", orders.port},
                        {"stall_ns", orders.patience.stall.count()},
                        {"body_ns", orders.patience.body.count()},
                        {"idle_ns", orders.patience.idle.count()},
                        {"request_ns", orders.patience.request.count()},
                        {"points", orders.points},
                        {"die_at", orders.die_at},
                        {"passing", orders.passing}}
      .dump();
}

ServeOrders from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  return {.variant = json.at("variant"),
          .folder = json.at("folder"),
          .port = json.at("port"),
          .patience = {Nanos(json.at("stall_ns").get<std::int64_t>()),
                       Nanos(json.at("body_ns").get<std::int64_t>()),
                       Nanos(json.at("idle_ns").get<std::int64_t>()),
                       Nanos(json.at("request_ns").get<std::int64_t>())},
          .points = json.at("points"),
          .die_at = json.at("die_at"),
          .passing = json.at("passing")};
}

int serve_main(const std::vector<Recipe>& recipes) {
  return lab::net::serve_role(
      [&recipes](const std::string& orders) { return serve(recipes, from_json(orders)); });
}

const Recipe& recipe_of(const std::vector<Recipe>& recipes, const std::string& variant) {
  for (const auto& recipe : recipes) {
    if (recipe.variant == variant) return recipe;
  }
  throw lab::Failure("no recipe for variant " + variant);
}

}  // namespace large_file_streaming
