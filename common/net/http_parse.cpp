// The one file of the lab that includes Beast's HTTP. Its basic_parser calls back with what it finds, straight into our
// own structs.
#include <fmt/format.h>

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "net/http.h"
#include "net/http_rules.h"

namespace lab::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

std::string_view view(string_view text) {
  return {text.data(), text.size()};
}

/// Beast's callbacks; `Message` is Request or Response.
template <bool isRequest, class Message>
class Parser : public http::basic_parser<isRequest> {
 public:
  explicit Parser(const HttpLimits& limits) {
    this->header_limit(static_cast<std::uint32_t>(limits.head_bytes));
    this->body_limit(limits.body_bytes);
  }
  Message message;

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code&) override {
    if constexpr (isRequest) {
      message.method.assign(method.data(), method.size());
      message.target = without_authority(view(target));
      message.minor = version - 10;
    }
  }
  void on_response_impl(int status, string_view, int, error_code&) override {
    if constexpr (!isRequest) message.status = status;
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    if (in_body_) return;  // a trailer: nothing that comes after the body may change what it meant
    message.headers.push_back({std::string(name), std::string(value)});
  }
  void on_header_impl(error_code&) override {
    in_body_ = true;
    message.keep_alive = this->keep_alive();
    if constexpr (isRequest) {
      if (const auto length = this->content_length()) message.content_length = *length;
    }
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    message.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(error_code&) override {}

  bool in_body_ = false;
};

/// Bytes that wait, with what has been used of them. Gives its memory back when it is empty and was large.
class Waiting {
 public:
  void add(std::string_view bytes) {
    if (used_ == bytes_.size()) clear();
    if (used_ > 4096 && used_ > bytes_.size() / 2) {
      bytes_.erase(0, used_);
      used_ = 0;
    }
    bytes_ += bytes;
  }
  std::string_view rest() const { return std::string_view(bytes_).substr(used_); }
  void use(std::size_t size) {
    used_ += size;
    if (used_ == bytes_.size()) clear();
  }
  bool empty() const { return used_ == bytes_.size(); }

 private:
  void clear() {
    used_ = 0;
    if (bytes_.capacity() > 16 * 1024) {
      bytes_ = {};
    } else {
      bytes_.clear();
    }
  }

  std::string bytes_;
  std::size_t used_ = 0;
};

Refusal refusal_of(const error_code& error) {
  if (error == http::error::body_limit) return {413, "a body above the limit"};
  if (error == http::error::header_limit) return {431, "headers above the limit"};
  return {400, error.message()};
}

/// Gives the parser the first `size` bytes that wait, as far as it takes them.
template <class Parser>
void pump(Parser& parser, Waiting& waiting, std::size_t size, error_code& error) {
  while (!parser.is_done() && size > 0) {
    const std::size_t used = parser.put(asio::const_buffer(waiting.rest().data(), size), error);
    waiting.use(used);
    size -= used;
    if (error == http::error::need_more) {
      error = {};
      return;
    }
    if (error) return;
  }
}

}  // namespace

struct RequestReader::State {
  explicit State(HttpLimits of) : limits(of), rules(limits), chunks(limits) {}

  HttpLimits limits;
  Waiting waiting;
  HeadRules rules;
  ChunkRules chunks;
  std::size_t accepted = 0;                     // by `chunks`, of what waits
  std::optional<Parser<true, Request>> parser;  // from a whole head to the end of the body
  bool expects_continue = false;
  std::optional<Refusal> refused;

  bool read_head() {
    const auto size = rules.scan(waiting.rest());
    if (!size) {
      refused = rules.refused();
      return false;
    }
    parser.emplace(limits);
    const auto head = waiting.rest().substr(rules.skipped(), *size - rules.skipped());
    error_code error;
    parser->put(asio::const_buffer(head.data(), head.size()), error);
    waiting.use(*size);
    expects_continue = rules.expects_continue();
    rules = HeadRules(limits);
    chunks = ChunkRules(limits);
    accepted = 0;
    if (error || !parser->is_header_done()) {
      refused = error ? refusal_of(error) : Refusal{400, "a head that cannot be parsed"};
      return false;
    }
    parser->message.expects_continue = expects_continue;
    return true;
  }

  void read_body() {
    if (parser->is_done()) return;
    error_code error;
    if (parser->chunked()) {
      accepted += chunks.accept(waiting.rest().substr(accepted));
      const std::size_t before = waiting.rest().size();
      pump(*parser, waiting, accepted - chunks.held(), error);
      accepted -= before - waiting.rest().size();
      refused = chunks.refused();
    } else {
      pump(*parser, waiting, waiting.rest().size(), error);
    }
    if (error) refused = refusal_of(error);  // what the parser has seen came first
  }
};

RequestReader::RequestReader(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

void RequestReader::feed(std::string_view bytes) {
  if (!state_->refused) state_->waiting.add(bytes);
}

std::optional<Request> RequestReader::next() {
  State& state = *state_;
  const bool stream = state.limits.stream_body;
  if (state.refused) return std::nullopt;
  if (state.parser && stream) {
    if (!state.parser->is_done() || !state.parser->message.body.empty()) return std::nullopt;
    state.parser.reset();
  }
  if (!state.parser) {
    if (!state.read_head()) return std::nullopt;
    if (stream) {
      Request head = state.parser->message;
      if (state.parser->is_done()) state.parser.reset();
      return head;
    }
  }
  state.read_body();
  if (state.refused || !state.parser->is_done()) return std::nullopt;
  Request request = std::move(state.parser->message);
  state.parser.reset();
  return request;
}

std::string RequestReader::take_body() {
  State& state = *state_;
  if (!state.parser || state.refused) return {};
  state.read_body();
  return std::exchange(state.parser->message.body, {});
}

bool RequestReader::body_complete() const {
  return !state_->parser || (state_->parser->is_done() && state_->parser->message.body.empty());
}

const std::optional<Refusal>& RequestReader::refused() const {
  return state_->refused;
}

bool RequestReader::waits_for_body() const {
  return state_->parser && !state_->parser->is_done() && !state_->refused;
}

bool RequestReader::expects_continue() {
  return waits_for_body() && std::exchange(state_->expects_continue, false);
}

bool RequestReader::idle() const {
  return !state_->parser && state_->waiting.empty() && !state_->refused;
}

struct ResponseReader::State {
  explicit State(HttpLimits of) : limits(of) {}

  HttpLimits limits;
  Waiting waiting;
  std::optional<Parser<false, Response>> parser;
  bool given = false;  // with stream_body: the head
  bool no_body = false, ended = false;
  std::optional<std::uint64_t> length;
  std::string problem;

  void fail(std::string why) {
    if (problem.empty()) problem = std::move(why);
  }

  bool read_head() {
    while (problem.empty() && !(parser && parser->is_header_done())) {
      if (!parser) {
        if (waiting.empty()) return false;
        parser.emplace(limits);
        parser->skip(no_body);
      }
      error_code error;
      const auto rest = waiting.rest();
      waiting.use(parser->put(asio::const_buffer(rest.data(), rest.size()), error));
      if (error == http::error::need_more) return false;
      if (error) fail(error.message());
      // 101 ends HTTP on this connection: it is an answer.
      if (!error && parser->message.status < 200 && parser->message.status != 101) parser.reset();
    }
    if (!problem.empty()) return false;
    const auto found = parser->content_length();
    length = found ? std::optional<std::uint64_t>(*found) : std::nullopt;
    return true;
  }

  void read_body() {
    error_code error;
    pump(*parser, waiting, waiting.rest().size(), error);
    if (error) fail(error.message());
    if (!error && ended && !parser->is_done()) {
      parser->put_eof(error);
      if (error) fail("the connection was closed within an answer");
    }
  }
};

ResponseReader::ResponseReader(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

void ResponseReader::feed(std::string_view bytes) {
  state_->waiting.add(bytes);
}

void ResponseReader::end_of_stream() {
  state_->ended = true;
  if (state_->parser && !state_->parser->is_header_done())
    state_->fail("the connection was closed within a head");
}

void ResponseReader::expect_no_body() {
  state_->no_body = true;
}

std::optional<Response> ResponseReader::next() {
  State& state = *state_;
  const bool stream = state.limits.stream_body;
  if (stream && state.given) {
    if (!body_complete()) return std::nullopt;
    state.parser.reset();
    state.given = false;
  }
  if (!state.read_head()) return std::nullopt;
  if (!stream) {
    state.read_body();
    if (!state.problem.empty() || !state.parser->is_done()) return std::nullopt;
  }
  Response response = std::move(state.parser->message);
  state.no_body = false;
  if (stream) {
    state.given = true;
    state.parser->message.body.clear();
  } else {
    state.parser.reset();
  }
  return response;
}

std::string ResponseReader::take_body() {
  State& state = *state_;
  if (!state.parser || !state.given || !state.problem.empty()) return {};
  state.read_body();
  return std::exchange(state.parser->message.body, {});
}

bool ResponseReader::body_complete() const {
  return !state_->given || (state_->parser->is_done() && state_->parser->message.body.empty());
}

std::optional<std::uint64_t> ResponseReader::content_length() const {
  return state_->length;
}

const std::string& ResponseReader::problem() const {
  return state_->problem;
}

bool ResponseReader::idle() const {
  return (!state_->parser || state_->given) && state_->waiting.empty() && body_complete();
}

}  // namespace lab::net
