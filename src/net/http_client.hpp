// An HTTP/1.1 client: one connection, kept alive, one request at a time.
//
// Mechanism: a request is written into one buffer and sent with one system call where the kernel takes it; the answer
// is parsed as it comes by Beast's parser into the response. Deadlines cost nothing per request: one timer per
// connection sleeps until the earliest deadline it knows of, looks whether that request still runs, and sleeps on.
// So one thread can drive thousands of these. Knows nothing of sales.
//
// Coroutines here run on the concrete executor of an io_context, not on a type-erased one: `Task<T>`.
#pragma once

#include "net/http_origin.hpp"
#include "net/http_server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

using IoExecutor = boost::asio::io_context::executor_type;

/// A coroutine of this house. Start one with `boost::asio::co_spawn(io_executor, named_function(arguments), handler)`.
template <typename T>
using Task = boost::asio::awaitable<T, IoExecutor>;

struct ClientField {
  std::string name;
  std::string value;
};

/// REQUIRES: target, names and values hold no control characters, and `target` begins with '/'.
/// `Host`, `Content-Length` and, with a body, `Content-Type: application/json` are added.
struct ClientRequest {
  Method method = Method::get;  ///< not `other`
  std::string target = "/";
  std::string body;
  std::vector<ClientField> fields = {};
};

class ClientResponse {
 public:
  unsigned status = 0;
  std::string body;

  /// The value of the first field with that name, in any case; empty: none. Valid as long as this response.
  std::string_view field(std::string_view name) const;

 private:
  friend class ResponseReader;
  std::string fields_;  // lines of "name:value\n"
};

struct ClientFailure {
  enum class Kind : std::uint8_t {
    connect,    ///< surely not sent: the server could not be reached, or not in time
    timed_out,  ///< sent, and no complete answer came before the deadline: may have been processed
    broken,     ///< sent, and the connection broke or the answer was not HTTP: may have been processed
  };
  Kind kind = Kind::connect;
  std::string detail;  ///< for a log
};

using ClientResult = std::expected<ClientResponse, ClientFailure>;

/// Not thread-safe: use from the executor's thread only. May be destroyed at any time when no request runs.
class HttpClient {
 public:
  HttpClient(IoExecutor executor, HttpOrigin origin);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  /// Sends a request and waits for the whole answer, of any status. REQUIRES: no other request of this client runs;
  /// `request` and the client live until this completes.
  ///
  /// Connects first where there is no connection or the server closed it since the last answer. A server that closes
  /// it at the very moment at which a request is sent makes that request `broken`: it may have been read. Whether to
  /// send it again is the caller's decision. After any failure the next request gets a new connection.
  Task<ClientResult> request(const ClientRequest& request, std::chrono::steady_clock::time_point deadline);
  Task<ClientResult> request(ClientRequest&& request, std::chrono::steady_clock::time_point deadline) = delete;

  /// Closes the connection. A request that runs fails as `broken` (or `connect`).
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// One request over a connection of its own, blocking, for programs without an io_context.
ClientResult fetch(const HttpOrigin& origin, const ClientRequest& request, std::chrono::milliseconds timeout);

}  // namespace firstcome::net
