#pragma once
// The actor's side: how a process that was started in a role (actors/actor.h) begins and how it speaks to the run.

#include <string>

namespace lab::actors {

/// "NAME" of `PROGRAM --role=NAME`, or empty: then this process is the run itself.
std::string role_of(int argc, const char* const* argv);

/// The orders. From then on a thread watches the run, and ends this process at once (_exit) when the run is gone. Call it
/// once, first thing in the role's main. Throws Failure when the run goes before the orders are whole.
std::string take_orders();

/// One line for Actor::next_line(), without its end. Thread-safe. Does nothing when the run is gone.
void tell_run(std::string line);

}  // namespace lab::actors
