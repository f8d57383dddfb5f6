#pragma once
// The clients of a fault run: readers and speakers, each a connection to one of the nodes, all on one event loop. Who loses
// its node goes to the next one. What each saw is the evidence.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checks.h"
#include "net/web_socket_client.h"
#include "workload.h"

namespace pubsub_fanout {

/// Where the nodes are now; 0: it is down.
using Ports = std::vector<int>;

/// What everybody in the crowd shares.
struct Square {
  lab::net::ClientCommons& commons;
  const Sizes& sizes;
  const Ports& ports;
  lab::Instant zero;
};

/// Keeps a client connected: to its node, and when it loses that, to the next.
class Guest : public lab::net::WebSocketClient::Listener {
 public:
  Guest(Square& square, std::size_t node);
  ~Guest() override;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  void come();  // connects
  void go();    // for good
  void cut();   // its connection is reset; it comes back
  bool joined() const { return joined_; }
  std::size_t node() const { return node_; }

 protected:
  virtual std::string target() const = 0;
  virtual bool comes_back() const { return true; }
  virtual bool listens() const {
    return true;
  }  // what does not, cannot tell that its node is silent
  virtual int receive_buffer() const { return 0; }
  virtual void on_line(std::string_view payload) = 0;
  virtual void on_lost(bool silent) = 0;  // silent: nothing came any more, so it gave it up
  void has_joined() { joined_ = true; }
  void has_heard() { last_word_ = lab::now(); }
  Nanos time() const { return lab::now() - square_.zero; }

  Square& square_;
  std::unique_ptr<lab::net::WebSocketClient> client_;

 private:
  void on_open(lab::net::WebSocketClient&) override {}
  void on_message(lab::net::WebSocketClient&, const lab::net::Message& message) override;
  void on_closed(lab::net::WebSocketClient&, std::uint16_t, std::string_view) override;
  void look_after();
  void lose(bool silent);
  void try_next();

  std::size_t node_;
  bool joined_ = false, gone_ = false;
  lab::Instant since_{}, last_word_{};
  lab::net::EventLoop::TimerId timer_{};
};

/// Hears a room. Writes down what it hears; it remembers the last place, and says so when it comes back.
class RoomReader : public Guest {
 public:
  RoomReader(Square& square, std::size_t node, Reader& record);
  void read(bool on);
  /// Asks who is there; the answer, sorted, goes to `told`, or nothing when the node does not know.
  using Told = std::function<void(std::optional<std::vector<std::string>>)>;
  void ask(Told told);
  void ask_no_more() { told_ = nullptr; }
  void leave();  // the run is over
  /// The number of the last that it heard of the speaker, or nothing.
  std::optional<std::uint32_t> heard_of(std::uint32_t speaker) const;
  Nanos last_gap() const { return last_gap_; }  // when it was told of one; 0: never
  const Reader& record() const { return record_; }

 private:
  std::string target() const override;
  bool comes_back() const override { return !record_.goes_away; }
  int receive_buffer() const override { return record_.stalls ? 64 * 1024 : 0; }
  void on_line(std::string_view payload) override;
  void on_lost(bool silent) override;

  bool listens() const override { return reading_; }

  Reader& record_;
  bool reading_ = true;
  std::optional<Bookmark> place_;  // the last that it heard, where places are numbered
  std::map<std::uint32_t, std::uint32_t> heard_of_;
  Nanos last_gap_{};
  Told told_;
};

/// Says something in a room now and then, and writes down what came of it. While it has no connection, it says nothing.
class RoomSpeaker : public Guest {
 public:
  RoomSpeaker(Square& square, std::size_t node, std::uint32_t room, std::uint32_t speaker,
              std::size_t bytes, std::vector<Saying>& record);
  void say();
  std::size_t unanswered() const { return unanswered_.size(); }
  bool last_was_taken() const { return last_was_taken_; }  // what was said last, by the node
  std::uint32_t said() const { return said_; }
  std::uint32_t room() const { return room_; }
  std::uint32_t speaker() const { return speaker_; }

 private:
  std::string target() const override;
  void on_line(std::string_view payload) override;
  void on_lost(bool silent) override;

  const std::uint32_t room_, speaker_;
  const std::size_t bytes_;
  std::uint32_t said_ = 0;
  bool last_was_taken_ = false;
  std::vector<Saying>& record_;
  std::deque<std::size_t> unanswered_;  // of record_
};

std::string name_of_room(std::uint32_t room);

}  // namespace pubsub_fanout
