#pragma once
// What the run and its supervisor say to each other: one SOCK_SEQPACKET message is one list of
// fields. The run asks, the supervisor answers, one at a time.
//
//   make_folder PARENT UID GID            -> ok PATH         (PARENT empty: the temporary folder)
//   remove_folder PATH                    -> ok
//   spawn UID GID FOLDER LOG CPUS N ARG*N ENV*  -> ok PID    (CPUS: "0,2", empty for all)
//   kill PID | stop PID | continue PID    -> ok              (the whole tree; kill also reaps)
//   state PID                             -> ok running | ok "ended with status 1" | …
//   quit                                  -> ok, and the connection closes
// Every question may be answered by: error CODE MESSAGE

#include <string>
#include <vector>

#include "core/result.h"

namespace lab::servers {

using Fields = std::vector<std::string>;

/// Where the supervisor finds its end of the connection.
inline constexpr int kSupervisorSocket = 3;

/// `closed` when the other side is gone; `timeout` after the socket's own SO_RCVTIMEO.
Result<void> send_message(int socket, const Fields& fields);
Result<Fields> receive_message(int socket);

Fields error_message(const Error& error);
/// The fields after "ok", or the Error that was sent.
Result<Fields> answer_of(Fields answer);

}  // namespace lab::servers
