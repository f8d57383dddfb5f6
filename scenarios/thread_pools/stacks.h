#pragma once
// Where the threads of this process stand: for a process that hangs, to say what it waits for.

#include <string>

namespace thread_pools {

/// One line for each other thread that is inside a function of this scenario, innermost first, as far as symbols tell:
/// "std::condition_variable::wait < WaitWithoutPredicate::work". Stops each of them for a moment by a signal (SIGUSR2).
std::string stacks_of_other_threads();

/// Whether another thread of this process runs or waits for a core at this moment, as the kernel says.
bool another_thread_is_ready();

}  // namespace thread_pools
