#pragma once
// The writer that dies between the commit and the delete: the same executable in another role, so that its death is a
// real one (SIGKILL) and nobody cleans up after it.

#include <string>

#include "world.h"

namespace cache_aside {

inline constexpr const char* kDoomedWriterRole = "doomed-writer";

/// What the writer needs to know. Holds a password.
std::string doomed_writer_orders(const std::string& variant, const lab::infra::RedisAddress& redis,
                                 const lab::infra::SqlAddress& sql, ProductId product, Cents price);

/// The role's main: makes one node of the variant, reprices the product, and is killed right after the database has
/// committed. Returns only when something went wrong before that.
int doomed_writer(const std::vector<Recipe>& recipes);

}  // namespace cache_aside
