#pragma once
// Ctrl-C, once for the whole process: the first SIGINT or SIGTERM asks for a stop, which loops and
// sleeps notice within about 20 ms; the second ends the process at once with status 130.

namespace lab {

/// Installs the handlers. Call once, early in main.
void handle_stop_signals();

/// Safe from any thread; a relaxed atomic load.
bool stop_requested();

/// What the handler does: for tests, and for a run-time cap.
void request_stop();

/// Forgets a request: for tests only.
void clear_stop_request();

}  // namespace lab
