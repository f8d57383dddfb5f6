#include "judge/json_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <set>
#include <span>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace lab::judge {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Why a line cannot be read. Thrown inside this file only.
struct Unreadable {
  std::string why;
};

template <class... Arguments>
[[noreturn]] void reject(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Unreadable{fmt::format(format, std::forward<Arguments>(arguments)...)};
}

json parse(const std::string& line) {
  std::set<std::string> fields;
  const auto watch = [&fields](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepest) reject("more than {} arrays and objects in one another", kDeepest);
    if (event == json::parse_event_t::key && !fields.insert(parsed.get<std::string>()).second)
      reject("the field {} stands there twice", parsed.dump());
    return true;
  };
  try {
    return json::parse(line, watch);
  } catch (const json::parse_error& problem) {
    reject("not JSON, from byte {} on", problem.byte);
  }
}

/// What a value of the wrong type looks like, short.
std::string shown(const json& value) {
  constexpr std::size_t kLongest = 40;
  const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "…";
}

std::int64_t integer(const json& value, std::string_view what) {
  const bool fits =
      value.is_number_integer() &&
      !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (!fits) reject("{} is {} and should be an integer of 64 bits", what, shown(value));
  return value.get<std::int64_t>();
}

std::string key_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  reject("a key is {} and should be a string or an integer", shown(value));
}

/// The fields of one line: asks for what it must have, and knows what nobody asked for.
class Fields {
 public:
  explicit Fields(const std::string& line) : object_(parse(line)) {
    if (!object_.is_object()) reject("{} is no JSON object", shown(object_));
  }

  const json* optional(const char* name) {
    known_.emplace_back(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  const json& required(const char* name) {
    const json* field = optional(name);
    if (!field) reject("lacks the field \"{}\"{}", name, misspelt(name));
    return *field;
  }

  std::string text(const char* name) {
    const json& field = required(name);
    if (!field.is_string()) reject("\"{}\" is {} and should be a string", name, shown(field));
    return field.get<std::string>();
  }

  bool boolean_or(const char* name, bool otherwise) {
    const json* field = optional(name);
    if (field && !field->is_boolean())
      reject("\"{}\" is {} and should be true or false", name, shown(*field));
    return field ? field->get<bool>() : otherwise;
  }

  void no_others() const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const std::string near = nearest(name, known_);
      reject("has a field \"{}\" that does not belong there{}", shown(name),
             near.empty() ? "" : "; did you mean \"" + near + "\"?");
    }
  }

 private:
  std::string misspelt(const std::string& wanted) const {
    const std::vector<std::string> one{wanted};
    for (const auto& [name, value] : object_.items()) {
      if (!nearest(name, one).empty()) return fmt::format(" (it has {})", shown(name));
    }
    return {};
  }

  json object_;
  std::vector<std::string> known_;
};

Outcome outcome_of(Fields& fields) {
  const std::string text = fields.text("outcome");
  if (text == "ok") return Outcome::ok;
  if (text == "fail") return Outcome::fail;
  if (text == "info") return Outcome::info;
  reject("the outcome is {} and should be ok, fail or info", shown(text));
}

/// Who, when, and how it ended: the same in both forms.
template <class Entry>
Entry entry_of(Fields& fields) {
  Entry entry;
  entry.process = integer(fields.required("process"), "\"process\"");
  entry.invoked = integer(fields.required("invoked"), "\"invoked\"");
  entry.outcome = outcome_of(fields);
  if (const json* returned = fields.optional("returned"))
    entry.returned = integer(*returned, "\"returned\"");
  if (!entry.returned && entry.outcome != Outcome::info)
    reject("lacks the field \"returned\", which only info may lack");
  if (entry.returned && *entry.returned < entry.invoked)
    reject("returned at {}, before it was invoked at {}", *entry.returned, entry.invoked);
  return entry;
}

ListOperation list_operation(const json& value) {
  if (!value.is_array() || value.size() != 3 || !value[0].is_string())
    reject("an operation is {} and should be [\"append\" or \"read\", key, value]", shown(value));
  const auto& verb = value[0].get_ref<const std::string&>();
  if (verb == "append")
    return ListOperation::append(key_text(value[1]), integer(value[2], "an element"));
  if (verb != "read") reject("an operation is {} and should be append or read", shown(value[0]));
  if (value[2].is_null()) return ListOperation::read(key_text(value[1]), std::nullopt);
  if (!value[2].is_array())
    reject("a read's result is {} and should be a list or null", shown(value[2]));
  List list;
  list.reserve(value[2].size());
  for (const auto& element : value[2]) list.push_back(integer(element, "an element"));
  return ListOperation::read(key_text(value[1]), std::move(list));
}

Transaction transaction_of(const std::string& line) {
  Fields fields(line);
  auto transaction = entry_of<Transaction>(fields);
  const json& operations = fields.required("operations");
  if (!operations.is_array())
    reject("\"operations\" is {} and should be a list", shown(operations));
  for (const auto& operation : operations)
    transaction.operations.push_back(list_operation(operation));
  fields.no_others();
  return transaction;
}

KeyOperation::Value register_value(const json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string() || value.is_number_integer() || value.is_boolean()) return value.dump();
  reject("a value is {} and should be a string, an integer, true, false or null", shown(value));
}

KeyOperation::Kind kind_of(const std::string& text) {
  if (text == "read") return KeyOperation::Kind::read;
  if (text == "write") return KeyOperation::Kind::write;
  if (text == "cas") return KeyOperation::Kind::cas;
  if (text == "delete") return KeyOperation::Kind::remove;
  reject("the operation is {} and should be read, write, cas or delete", shown(text));
}

KeyOperation operation_of(const std::string& line, bool with_keys) {
  Fields fields(line);
  auto operation = entry_of<KeyOperation>(fields);
  if (with_keys) operation.key = key_text(fields.required("key"));
  operation.kind = kind_of(fields.text("operation"));
  const bool ok = operation.outcome == Outcome::ok;
  switch (operation.kind) {
    case KeyOperation::Kind::read:
      if (ok) {
        operation.value = register_value(fields.required("value"));
      } else if (const json* value = fields.optional("value")) {
        operation.value = register_value(*value);
      }
      break;
    case KeyOperation::Kind::cas:
      operation.expected = register_value(fields.required("expected"));
      operation.swapped = fields.boolean_or("swapped", true);
      [[fallthrough]];
    case KeyOperation::Kind::write:
      operation.value = register_value(fields.required("value"));
      break;
    case KeyOperation::Kind::remove: break;
  }
  fields.no_others();
  return operation;
}

/// A line without its end; nothing when there is none left.
std::optional<std::string> next_line(std::istream& in) {
  std::string line;
  for (int byte = in.get(); byte != std::istream::traits_type::eof(); byte = in.get()) {
    if (byte == '\n') return line;
    if (line.size() == kLongestLine) reject("longer than {} bytes", kLongestLine);
    line.push_back(static_cast<char>(byte));
  }
  return line.empty() ? std::nullopt : std::optional(line);
}

template <class Entry>
void check_processes(const std::vector<Entry>& entries) {
  std::vector<std::size_t> order(entries.size());
  for (std::size_t at = 0; at < order.size(); ++at) order[at] = at;
  std::stable_sort(order.begin(), order.end(), [&entries](std::size_t a, std::size_t b) {
    return std::tie(entries[a].process, entries[a].invoked) <
           std::tie(entries[b].process, entries[b].invoked);
  });
  for (std::size_t at = 1; at < order.size(); ++at) {
    const Entry& earlier = entries[order[at - 1]];
    const Entry& later = entries[order[at]];
    if (earlier.process != later.process) continue;
    if (earlier.returned && *earlier.returned <= later.invoked) continue;
    reject("line {}: process {} begins this while line {} is under way", order[at] + 1,
           later.process, order[at - 1] + 1);
  }
}

template <class Entry, class Read>
Result<std::vector<Entry>> read_all(std::istream& in, const Read& read) {
  std::vector<Entry> entries;
  std::string where;
  try {
    for (;;) {
      where = fmt::format("line {}: ", entries.size() + 1);
      const auto line = next_line(in);
      if (!line) break;
      if (entries.size() == kMostLines) reject("more than {} lines", kMostLines);
      entries.push_back(read(*line));
    }
    where.clear();
    check_processes(entries);
  } catch (const Unreadable& problem) {
    return Error{ErrorCode::invalid, Happened::no, where + problem.why};
  }
  return entries;
}

std::string_view name(Outcome outcome) {
  return outcome == Outcome::ok ? "ok" : outcome == Outcome::fail ? "fail" : "info";
}

template <class Entry>
ordered_json common_fields(const Entry& entry) {
  ordered_json object{{"process", entry.process}, {"invoked", entry.invoked}};
  if (entry.returned) object["returned"] = *entry.returned;
  object["outcome"] = name(entry.outcome);
  return object;
}

ordered_json json_value(const KeyOperation::Value& value) {
  if (!value) return nullptr;
  const auto parsed = ordered_json::parse(*value, nullptr, /*allow_exceptions=*/false);
  const bool scalar = parsed.is_string() || parsed.is_number_integer() || parsed.is_boolean();
  return scalar ? parsed : ordered_json(*value);
}

}  // namespace

Result<std::vector<Transaction>> read_transactions(std::istream& in) {
  return read_all<Transaction>(in, transaction_of);
}

Result<std::vector<KeyOperation>> read_operations(std::istream& in, bool with_keys) {
  return read_all<KeyOperation>(
      in, [with_keys](const std::string& line) { return operation_of(line, with_keys); });
}

std::string json_line(const Transaction& transaction) {
  ordered_json object = common_fields(transaction);
  object["operations"] = ordered_json::array();
  for (const auto& operation : transaction.operations) {
    if (operation.kind == ListOperation::Kind::append) {
      object["operations"].push_back({"append", operation.key, operation.element});
    } else {
      object["operations"].push_back(
          {"read", operation.key,
           operation.list ? ordered_json(*operation.list) : ordered_json(nullptr)});
    }
  }
  return object.dump();
}

std::string json_line(const KeyOperation& operation) {
  using Kind = KeyOperation::Kind;
  ordered_json object = common_fields(operation);
  object["operation"] = operation.kind == Kind::read    ? "read"
                        : operation.kind == Kind::write ? "write"
                        : operation.kind == Kind::cas   ? "cas"
                                                        : "delete";
  if (!operation.key.empty()) object["key"] = operation.key;
  if (operation.kind == Kind::cas) object["expected"] = json_value(operation.expected);
  const bool read_nothing = operation.kind == Kind::read && operation.outcome != Outcome::ok;
  if (operation.kind != Kind::remove && !read_nothing)
    object["value"] = json_value(operation.value);
  if (operation.kind == Kind::cas && !operation.swapped) object["swapped"] = false;
  return object.dump();
}

}  // namespace lab::judge
