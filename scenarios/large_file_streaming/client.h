#pragma once
// The load's side of a connection: blocking, one request at a time, and able to do what no well-behaved client does: stop
// reading, go away, send a target as it stands.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "file_io.h"
#include "net/http.h"

namespace large_file_streaming {

/// How an answer ended.
enum class Ending {
  complete,  // all that its head promised, and no more
  cut,       // the connection was closed or reset before
  silent,    // nothing came for the time limit, and the connection stayed open
  none,      // no head at all
};
std::string_view name(Ending ending);

struct Answer {
  int status = 0;
  std::vector<lab::net::Header> headers;
  std::uint64_t bytes = 0;  // of the body
  Ending ending = Ending::none;
  Nanos waited{};  // for a core: how long the client was ready to receive and was not run
  std::string header(std::string_view name) const;  // empty when absent
};

/// Gets the body's bytes in order. False: no more of them.
using Sink = std::function<bool(std::span<const char>)>;

/// For one thread.
class Client {
 public:
  struct Options {
    Nanos limit = std::chrono::seconds(10);  // for each wait
    int receive_buffer = 0;                  // SO_RCVBUF; 0: the kernel's choice
    /// Of a body whose length is known, it is woken only when so much has come (SO_RCVLOWAT): one that wakes for each packet
    /// costs the server more than the bytes do.
    std::size_t at_once = 1;
  };
  /// Throws Failure when nobody listens there.
  explicit Client(int port) : Client(port, Options{}) {}
  Client(int port, Options options);

  /// "GET /x HTTP/1.1" with Host and these headers (whole lines, each with its end).
  bool ask(std::string_view method, std::string_view target, std::string_view headers = {});
  bool send(std::span<const char> bytes);

  /// The answer to what was asked. Without a sink the bytes are counted and dropped, in the kernel where that can be.
  Answer receive(const Sink& sink = {}, bool head_only = false);

  /// As much of the body as has come, at most this; zero at an end. Only after ask(), and instead of receive().
  std::size_t receive_some(std::span<char> bytes);

  void reset();  // closes at once, with a reset
  int socket() const { return socket_.descriptor(); }

 private:
  Answer receive_answer(const Sink& sink, bool head_only);
  void drain(Answer& answer, std::uint64_t left, const Sink& sink);
  void wake_for(std::size_t bytes);
  bool wait_for(std::size_t bytes);  // false: it is recv() that is to wait

  File socket_;
  Options options_;
  std::size_t woken_for_ = 1;
};

/// SHA-256, in pieces.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  void add(std::span<const char> bytes);
  std::string hex();  // ends it

 private:
  void* context_;
};
std::string sha256_of(std::span<const char> bytes);
/// Throws Failure when the file cannot be read.
std::string sha256_of_file(const std::string& path);

/// Inflates a gzip stream piece by piece.
class Gunzip {
 public:
  explicit Gunzip(Sink sink);
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  bool add(std::span<const char> bytes);  // false: no gzip, or the sink has enough
  bool complete() const;                  // the trailer has come and its checksum is right

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace large_file_streaming
