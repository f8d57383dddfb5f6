#include "judge/history.h"

#include <fmt/format.h>

namespace lab::judge {
namespace {

constexpr std::size_t kShownElements =
    8;  // elements of a list: its end decides which version it is

std::string text_of(const ListOperation& operation) {
  if (operation.kind == ListOperation::Kind::append)
    return fmt::format("append {} {}", operation.key, operation.element);
  return fmt::format("read {} → {}", operation.key,
                     operation.list ? judge::text_of(*operation.list) : "?");
}

std::string text_of(const KeyOperation::Value& value) {
  return value ? *value : "absent";
}

std::string action_of(const KeyOperation& operation) {
  switch (operation.kind) {
    case KeyOperation::Kind::read:
      return operation.outcome == Outcome::ok ? "read " + text_of(operation.value) : "read";
    case KeyOperation::Kind::write: return "write " + text_of(operation.value);
    case KeyOperation::Kind::remove: return "delete";
    case KeyOperation::Kind::cas:
      return fmt::format("cas {} → {}{}", text_of(operation.expected), text_of(operation.value),
                         operation.swapped ? "" : " found another value");
  }
  return {};
}

}  // namespace

std::string text_of(const List& list) {
  const bool cut = list.size() > kShownElements;
  const auto end = cut ? list.end() - kShownElements : list.begin();
  return fmt::format("[{}{}]", cut ? "…, " : "", fmt::join(end, list.end(), ", "));
}

std::string text_of(const Transaction& transaction) {
  std::string text;
  for (const auto& operation : transaction.operations)
    text += (text.empty() ? "" : ", ") + text_of(operation);
  return text.empty() ? "nothing" : text;
}

std::string text_of(const KeyOperation& operation) {
  return operation.key.empty() ? action_of(operation) : operation.key + ": " + action_of(operation);
}

}  // namespace lab::judge
