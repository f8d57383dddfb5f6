#pragma once
// The two ways in which connections are served. Both return soon after a stop is requested, with every connection closed. Both
// have the same limits: kMostConnections at once, and of each peer's time what Patience says (site.h).

#include "file_server.h"
#include "site.h"

namespace large_file_streaming {

/// Who comes beyond these is told to come back later (503).
inline constexpr std::size_t kMostConnections = 64;

/// A thread a connection, blocking calls. `download` is used by all of them.
void serve_blocking(const File& listener, Site& site, Download& download, const Patience& patience);

/// One thread, one coroutine a connection (variants/async_chunked.h).
void serve_async(File listener, Site& site, const Patience& patience);

}  // namespace large_file_streaming
