#include "evidence.h"

#include <nlohmann/json.hpp>

namespace thread_pools {
namespace {

using nlohmann::json;

json to_array(const TaskTrace& task) {
  return {task.invoked,  task.returned, task.began, task.ended,     task.runs,
          task.failures, task.accepted, task.threw, task.given_back};
}

TaskTrace trace_from(const json& from) {
  return {.invoked = from.at(0),
          .returned = from.at(1),
          .began = from.at(2),
          .ended = from.at(3),
          .runs = from.at(4),
          .failures = from.at(5),
          .accepted = from.at(6),
          .threw = from.at(7),
          .given_back = from.at(8)};
}

json to_object(const Stuck& stuck) {
  json object{
      {"since_ns", stuck.since.count()}, {"at_ns", stuck.at.count()}, {"waiting", stuck.waiting},
      {"running", stuck.running},        {"doing", stuck.doing},      {"waits", stuck.waits}};
  if (stuck.freed_by_a_bell) object["freed_by_a_bell_ns"] = stuck.freed_by_a_bell->count();
  return object;
}

Stuck stuck_from(const json& from) {
  Stuck stuck{.since = Nanos(from.at("since_ns").get<std::int64_t>()),
              .at = Nanos(from.at("at_ns").get<std::int64_t>()),
              .waiting = from.at("waiting"),
              .running = from.at("running"),
              .doing = from.at("doing"),
              .waits = from.at("waits")};
  if (from.contains("freed_by_a_bell_ns"))
    stuck.freed_by_a_bell = Nanos(from.at("freed_by_a_bell_ns").get<std::int64_t>());
  return stuck;
}

}  // namespace

const ScriptEvidence* Evidence::script(const std::string& name) const {
  for (const auto& each : scripts) {
    if (each.script == name) return &each;
  }
  return nullptr;
}

std::string to_json(const ScriptEvidence& evidence) {
  json object{{"script", evidence.script},
              {"workers", evidence.size.workers},
              {"queue_limit", evidence.size.queue_limit},
              {"shutdown_began_ns", evidence.shutdown_began},
              {"shutdown_ended_ns", evidence.shutdown_ended},
              {"one_hash_ns", evidence.one_hash.count()},
              {"hiccup_ns", evidence.hiccup.count()},
              {"futures_kept", evidence.futures_kept},
              {"futures_wrong", evidence.futures_wrong},
              {"death", evidence.death},
              {"tasks", json::array()},
              {"bystanders", json::array()}};
  for (const auto& task : evidence.tasks) object["tasks"].push_back(to_array(task));
  for (const auto& each : evidence.bystanders)
    object["bystanders"].push_back({each.planned, each.latency, each.no_core, each.waited});
  if (evidence.how) object["how"] = *evidence.how == Shutdown::drain ? "drain" : "give_back";
  if (evidence.nested_done) object["nested_done"] = *evidence.nested_done;
  if (evidence.stuck) object["stuck"] = to_object(*evidence.stuck);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

ScriptEvidence evidence_from_json(const std::string& text) {
  const json from = json::parse(text);
  ScriptEvidence evidence;
  evidence.script = from.at("script");
  evidence.size = {.workers = from.at("workers"), .queue_limit = from.at("queue_limit")};
  evidence.shutdown_began = from.at("shutdown_began_ns");
  evidence.shutdown_ended = from.at("shutdown_ended_ns");
  evidence.one_hash = Nanos(from.at("one_hash_ns").get<std::int64_t>());
  evidence.hiccup = Nanos(from.at("hiccup_ns").get<std::int64_t>());
  evidence.futures_kept = from.at("futures_kept");
  evidence.futures_wrong = from.at("futures_wrong");
  evidence.death = from.at("death");
  for (const auto& task : from.at("tasks")) evidence.tasks.push_back(trace_from(task));
  for (const auto& each : from.at("bystanders"))
    evidence.bystanders.push_back({.planned = each.at(0),
                                   .latency = each.at(1),
                                   .no_core = each.at(2),
                                   .waited = each.at(3)});
  if (from.contains("how"))
    evidence.how = from.at("how") == "drain" ? Shutdown::drain : Shutdown::give_back;
  if (from.contains("nested_done")) evidence.nested_done = from.at("nested_done").get<bool>();
  if (from.contains("stuck")) evidence.stuck = stuck_from(from.at("stuck"));
  return evidence;
}

}  // namespace thread_pools
