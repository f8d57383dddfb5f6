#include "servers.h"
#include "serving.h"
#include "variants/async_but_blocks.h"
#include "variants/async_callbacks.h"
#include "variants/async_happy_path.h"
#include "variants/async_multi.h"
#include "variants/async_offload.h"

namespace blocking_vs_async_io::served {

void async_callbacks(const Service& service) {
  blocking_vs_async_io::async_callbacks(service);
}
void async_multi(const Service& service) {
  blocking_vs_async_io::async_multi(service);
}
void async_happy_path(const Service& service) {
  blocking_vs_async_io::async_happy_path(service);
}
void async_but_blocks(const Service& service) {
  blocking_vs_async_io::async_but_blocks(service);
}
void async_offload(const Service& service) {
  blocking_vs_async_io::async_offload(service);
}
void worker(const Service& service) {
  Loop loop(service, never_waiting);
  loop.listen(service.orders.shared_port);
  service.listening(loop.port());
  serve_callbacks(loop);
}

}  // namespace blocking_vs_async_io::served
