#include "servers.h"
#include "variants/async_coroutines.h"

namespace blocking_vs_async_io::served {

void async_coroutines(const Service& service) {
  Loop loop(service, never_waiting);
  loop.listen();
  service.listening(loop.port());
  serve_coroutines(loop);
}

}  // namespace blocking_vs_async_io::served
