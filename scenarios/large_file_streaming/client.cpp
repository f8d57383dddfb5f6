#include "client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "harness/load.h"
#include "net/loopback.h"

namespace large_file_streaming {
namespace {

constexpr std::size_t kPiece = 256 * 1024;

/// 0 at the end of the stream, -1 after a reset, -2 when the time is up.
ssize_t receive_piece(int socket, std::span<char> into, int flags) {
  while (true) {
    const ssize_t got = ::recv(socket, into.data(), into.size(), flags);
    if (got >= 0) return got;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? -2 : -1;
  }
}

Ending ending_of(ssize_t got) {
  return got == -2 ? Ending::silent : Ending::cut;
}

std::vector<char>& piece_buffer() {
  static thread_local std::vector<char> buffer(kPiece);
  return buffer;
}

}  // namespace

std::string_view name(Ending ending) {
  switch (ending) {
    case Ending::complete: return "complete";
    case Ending::cut: return "cut";
    case Ending::silent: return "silent";
    case Ending::none: return "no answer";
  }
  return "?";
}

std::string Answer::header(std::string_view wanted) const {
  const auto* value = lab::net::find_header(headers, wanted);
  return value ? *value : std::string();
}

Client::Client(int port, Options options)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), options_(options) {
  const int socket = socket_.descriptor();
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(options.limit).count();
  const timeval time{us / 1'000'000, us % 1'000'000};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (options.receive_buffer > 0)
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer,
                 sizeof options.receive_buffer);
  if (lab::net::connect_to_loopback(socket, port) != 0)
    throw lab::Failure(failed(fmt::format("cannot connect to 127.0.0.1:{}", port)));
}

bool Client::ask(std::string_view method, std::string_view target, std::string_view headers) {
  return send(fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n", method, target, headers));
}

bool Client::send(std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

Answer Client::receive(const Sink& sink, bool head_only) {
  const Nanos before = lab::harness::waited_for_core();
  Answer answer = receive_answer(sink, head_only);
  answer.waited = lab::harness::waited_for_core() - before;
  return answer;
}

Answer Client::receive_answer(const Sink& sink, bool head_only) {
  Answer answer;
  lab::net::ResponseReader reader({.body_bytes = UINT64_MAX, .stream_body = true});
  if (head_only) reader.expect_no_body();
  auto& buffer = piece_buffer();
  ssize_t got = 0;
  const auto feed = [&] {
    got = receive_piece(socket(), buffer, 0);
    if (got > 0) reader.feed({buffer.data(), static_cast<std::size_t>(got)});
    if (got <= 0 && got != -2) reader.end_of_stream();
    return got > 0;
  };
  std::optional<lab::net::Response> head;
  while (!(head = reader.next())) {
    if (!reader.problem().empty() || !feed()) return answer;
  }
  answer.status = head->status;
  answer.headers = std::move(head->headers);
  const auto take = [&] {
    const std::string piece = reader.take_body();
    answer.bytes += piece.size();
    return piece.empty() || !sink || sink(piece);
  };
  answer.ending = Ending::cut;
  const auto length = reader.content_length();
  if (!take()) return answer;
  if (length && !head_only && *length > answer.bytes) {  // the rest needs no parser
    drain(answer, *length - answer.bytes, sink);
    wake_for(1);
    return answer;
  }
  while (!reader.body_complete()) {
    if (!reader.problem().empty() || !feed()) {
      if (got == -2) answer.ending = Ending::silent;
      return answer;
    }
    if (!take()) return answer;
  }
  answer.ending = Ending::complete;
  return answer;
}

void Client::drain(Answer& answer, std::uint64_t left, const Sink& sink) {
  auto& buffer = piece_buffer();
  while (left > 0) {
    const bool waits = wait_for(std::min<std::uint64_t>(options_.at_once, left));
    const std::size_t most = std::min<std::uint64_t>(left, sink ? buffer.size() : 1 << 30);
    // TCP throws away what is received with MSG_TRUNC, without a copy.
    const auto into =
        sink ? std::span(buffer).first(most) : std::span(static_cast<char*>(nullptr), most);
    const ssize_t got =
        receive_piece(socket(), into, (sink ? 0 : MSG_TRUNC) | (waits ? MSG_DONTWAIT : 0));
    if (got <= 0) {
      answer.ending = ending_of(got);
      return;
    }
    const auto count = static_cast<std::size_t>(got);
    answer.bytes += count;
    left -= count;
    if (sink && !sink(std::span<const char>(buffer).first(count))) return;
  }
  answer.ending = Ending::complete;
}

void Client::wake_for(std::size_t bytes) {
  if (bytes == woken_for_) return;
  const int count = static_cast<int>(woken_for_ = bytes);
  ::setsockopt(socket(), SOL_SOCKET, SO_RCVLOWAT, &count, sizeof count);
}

/// With poll(): a recv() that found less would take that, and then wait for as much again, which may never come.
bool Client::wait_for(std::size_t bytes) {
  if (options_.at_once <= 1) return false;
  wake_for(bytes);
  pollfd waiting{socket(), POLLIN, 0};
  const auto limit_ms = options_.limit / std::chrono::milliseconds(1);
  while (::poll(&waiting, 1, static_cast<int>(limit_ms)) < 0 && errno == EINTR) {
  }
  return true;
}

std::size_t Client::receive_some(std::span<char> bytes) {
  const ssize_t got = receive_piece(socket(), bytes, 0);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void Client::reset() {
  const linger none{1, 0};
  ::setsockopt(socket(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  socket_ = File();
}

Digest::Digest() : context_(::EVP_MD_CTX_new()) {
  ::EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), ::EVP_sha256(), nullptr);
}

Digest::~Digest() {
  ::EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Digest::add(std::span<const char> bytes) {
  ::EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size());
}

std::string Digest::hex() {
  std::array<unsigned char, 32> digest{};
  ::EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.data(), nullptr);
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_of(std::span<const char> bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.hex();
}

std::string sha256_of_file(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw lab::Failure(failed("cannot read " + path));
  Digest digest;
  auto& buffer = piece_buffer();
  for (std::uint64_t offset = 0;;) {
    const auto got = read_at(file.descriptor(), buffer, offset);
    if (!got) return digest.hex();  // its end
    digest.add(std::span<const char>(buffer).first(*got));
    offset += *got;
  }
}

struct Gunzip::State {
  Sink sink;
  z_stream stream{};
  bool complete = false, wrong = false;
};

Gunzip::Gunzip(Sink sink) : state_(std::make_unique<State>()) {
  state_->sink = std::move(sink);
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (::inflateInit2(&state_->stream, kGzipOnly) != Z_OK)
    throw lab::Failure("zlib has no memory to inflate with");
}

Gunzip::~Gunzip() {
  ::inflateEnd(&state_->stream);
}

bool Gunzip::add(std::span<const char> bytes) {
  static thread_local std::vector<char> out(kPiece);
  State& state = *state_;
  state.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  state.stream.avail_in = static_cast<uInt>(bytes.size());
  do {
    if (state.complete) return state.stream.avail_in == 0;  // nothing may follow
    state.stream.next_out = reinterpret_cast<Bytef*>(out.data());
    state.stream.avail_out = static_cast<uInt>(out.size());
    const int done = ::inflate(&state.stream, Z_NO_FLUSH);
    if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR) return false;
    state.complete = done == Z_STREAM_END;
    if (!state.sink(std::span<const char>(out).first(out.size() - state.stream.avail_out)))
      return false;
  } while (state.stream.avail_in > 0 || state.stream.avail_out == 0);
  return true;
}

bool Gunzip::complete() const {
  return state_->complete;
}

}  // namespace large_file_streaming
