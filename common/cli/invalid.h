#pragma once
// What is wrong with a document, or with the recorded result that it shows. Internal to the room.

#include <string>
#include <utility>

#include "core/result.h"

namespace lab::cli {

inline Error invalid(std::string message) {
  return {ErrorCode::invalid, Happened::no, std::move(message)};
}

}  // namespace lab::cli
