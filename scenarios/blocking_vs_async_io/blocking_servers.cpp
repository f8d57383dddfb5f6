#include "servers.h"
#include "variants/fixed_blocking_pool.h"
#include "variants/multi_process.h"
#include "variants/thread_per_connection.h"

namespace blocking_vs_async_io::served {

void thread_per_connection(const Service& service) {
  blocking_vs_async_io::thread_per_connection(service);
}
void fixed_blocking_pool(const Service& service) {
  blocking_vs_async_io::fixed_blocking_pool(service);
}
void multi_process(const Service& service) {
  blocking_vs_async_io::multi_process(service);
}

}  // namespace blocking_vs_async_io::served
