// An HTTP/1.1 server that is driven in turns by one thread.
//
// Mechanism: `run` waits until sockets are ready, reads all of them, hands each complete request to the handler, lets
// `Driven` do one turn (which may answer many requests at once), then writes every answer. A request is read, decided
// and answered on one thread, without an allocation per request: on a small machine, handing a request to another
// thread costs more than the work it hides (docs/hot-path.md has the figures). Knows nothing of sales.
//
// One request per connection is handled at a time; pipelined requests wait in the connection's buffer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

/// A request as parsed; views are valid until the exchange is answered.
struct HttpRequest {
  Method method = Method::other;
  std::string_view target;            ///< as sent
  std::string_view path;              ///< before '?', still percent-encoded
  std::string_view query;             ///< after '?'
  std::string_view content_type;      ///< empty: none
  std::string_view content_encoding;  ///< empty: none
  std::string_view idempotency_key;   ///< as sent; see `idempotency_keys` for how often
  std::string_view authorization;
  std::string_view if_match;      ///< as sent; empty: none
  unsigned idempotency_keys = 0;  ///< how many such fields came
  std::string_view body;
  std::string_view repeated_field;  ///< of a refused one: what may come once, and came again; empty: that is not why
};

struct HttpField {
  std::string_view name;
  std::string_view value;
};

/// Why the server itself refuses a request, before any handler sees it. The connection is closed after the answer.
enum class BadRequest : std::uint8_t {
  malformed,             // 400
  timed_out,             // 408: its head or body did not come in time
  body_too_large,        // 413, before the body is read
  uri_too_long,          // 414
  header_too_large,      // 431
  not_implemented,       // 501: a transfer coding we do not speak
  too_many_connections,  // 503
};

/// An answer that owns its text.
struct LateAnswer {
  unsigned status = 503;
  std::string content_type;
  std::string body;
  std::vector<HttpField> fields;  ///< of static text
};

/// What a handler keeps per connection and uses for every request of it.
struct Attachment {
  virtual ~Attachment() = default;
  /// The client has gone or sends no more, or the server drains, and the request is not answered yet: whoever keeps it
  /// waiting should answer it soon. On the server's thread; may come more than once.
  virtual void hurry() noexcept {}
};

/// One request and its answer. Lives as long as its connection, and at least until it was answered; if the client went
/// away meanwhile, the answer is dropped. Use on the server's thread only.
class Exchange {
 public:
  virtual const HttpRequest& request() const = 0;

  /// Answers. REQUIRES: not answered yet. `content_type` may be empty where `body` is. `fields` and `body` are copied.
  /// HEAD requests get the head only.
  virtual void respond(unsigned status, std::string_view content_type, std::string_view body,
                       std::span<const HttpField> fields = {}) = 0;

  std::unique_ptr<Attachment> attachment;

 protected:
  ~Exchange() = default;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// Must answer `exchange`, now or in a later turn, on the server's thread. Must not throw.
  virtual void handle(Exchange& exchange) noexcept = 0;
  /// Writes what is answered to a request that is refused before `handle`: status and body are the handler's choice.
  /// `exchange.request()` is empty then, but for its `repeated_field`.
  virtual void refuse(BadRequest why, Exchange& exchange) noexcept = 0;
  /// Returns what is told to a client whose request is still unanswered when the server has to end. The work on the
  /// request goes on, and what it answers is dropped.
  virtual LateAnswer give_up(const HttpRequest& request) noexcept;
};

/// What is done once per round, between reading and writing.
class Driven {
 public:
  virtual ~Driven() = default;
  /// Does what is ready. Returns when it wants to be called again even if nothing comes in; nothing: never.
  virtual std::optional<std::chrono::steady_clock::time_point> turn() noexcept = 0;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: a free one
  std::size_t connections;
  std::size_t header_bytes;
  std::size_t target_bytes;
  std::size_t body_bytes;
  std::size_t unsent_bytes;  ///< of answers that wait for slow readers, in all; one that does not fit is cut off
  std::chrono::milliseconds header_deadline;
  std::chrono::milliseconds body_deadline;
  std::chrono::milliseconds idle_deadline;
  std::chrono::milliseconds write_deadline;
  std::chrono::milliseconds drain_deadline;

  HttpServerOptions();  ///< the defaults of `limits.hpp`
};

struct HttpServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
  std::uint64_t accept_errors = 0;
  std::uint64_t refused = 0;
  std::uint64_t cut_off = 0;  ///< answers that found no room among those that wait for slow readers
};

/// Thread safety: `post`, `wake` and `stop` from any thread; everything else from the thread that runs it.
class HttpServer {
 public:
  /// Binds and listens. Throws std::system_error if it cannot.
  HttpServer(HttpServerOptions options, HttpHandler& handler, Driven& driven);
  ~HttpServer();

  std::uint16_t port() const;
  HttpServerCounters counters() const;

  /// Serves until `stop`, then drains: accepts no more, answers what is under way or has arrived, at most
  /// `drain_deadline` long. Clients whose requests are unanswered even then are told what `HttpHandler::give_up` says;
  /// their exchanges stay valid until the server is destroyed, and what they are answered is dropped: destroy it after
  /// whatever may still answer them. REQUIRES: not run before.
  void run();
  /// Returns when draining had to be over at the latest. REQUIRES: `run` has returned.
  std::chrono::steady_clock::time_point drain_end() const;

  /// Runs `task` on the server's thread, soon; never, if the server has ended before.
  void post(std::move_only_function<void()> task);
  /// Makes the server take a turn, soon. Async-signal-safe.
  void wake() noexcept;
  /// Async-signal-safe.
  void stop() noexcept;
  /// Whether `stop` was called. From any thread.
  bool is_stopping() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::net
