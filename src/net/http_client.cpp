#include "net/http_client.hpp"

#include "net/find_host.hpp"
#include "net/redis/tls.hpp"
#include "net/response_reader.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <optional>
#include <tuple>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::steady_clock;

namespace {

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, IoExecutor>;
using Timer = asio::basic_waitable_timer<steady_clock, asio::wait_traits<steady_clock>, IoExecutor>;
using Kind = ClientFailure::Kind;

constexpr asio::as_tuple_t<asio::use_awaitable_t<IoExecutor>> use_task;
constexpr std::size_t first_read_bytes = 2'048;  // thousands of clients: most answers are small
constexpr std::size_t read_bytes = response_read_bytes;
/// What is left of a chunked body has at least this size.
constexpr std::size_t last_chunk_bytes = std::string_view{"0\r\n\r\n"}.size();

std::string_view text_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      break;
  }
  assert(!"a request needs a method");
  return "";
}

[[maybe_unused]] bool printable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// Writes the request as it is sent.
void compose(const ClientRequest& request, const HttpOrigin& origin, std::string_view authority, std::string& out) {
  assert(request.target.starts_with('/') && printable(request.target));
  out.clear();
  out.append(text_of(request.method))
      .append(" ")
      .append(origin.prefix)
      .append(request.target)
      .append(" HTTP/1.1\r\nHost: ")
      .append(authority);
  for (const ClientField& field : request.fields) {
    assert(printable(field.name) && printable(field.value));
    out.append("\r\n").append(field.name).append(": ").append(field.value);
  }
  if (!request.body.empty()) out.append("\r\nContent-Type: application/json");
  if (!request.body.empty() || request.method == Method::post || request.method == Method::put ||
      request.method == Method::patch) {
    out.append("\r\nContent-Length: ");
    append_number(out, request.body.size());
  }
  out.append("\r\n\r\n").append(request.body);
}

std::unexpected<ClientFailure> failure(Kind kind, std::string detail) {
  return std::unexpected(ClientFailure{kind, std::move(detail)});
}

}  // namespace

std::string_view ClientResponse::field(std::string_view name) const {
  std::string_view rest = fields_;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::size_t colon = line.find(':');
    if (boost::beast::iequals(line.substr(0, colon), name)) return line.substr(colon + 1);
    rest.remove_prefix(line.size() + 1);
  }
  return {};
}

// Shared with the timer's handler, which may run after the client has gone.
struct HttpClient::Impl : std::enable_shared_from_this<HttpClient::Impl> {
  Impl(IoExecutor executor, HttpOrigin where) : origin(std::move(where)), socket(executor), watchdog(executor) {
    authority = net::authority(origin.host, origin.port);
    in.resize(first_read_bytes);
  }

  // While it lives, a request is under way; also where the coroutine is dropped half-way.
  struct Running {
    Impl& impl;
    ~Running() { impl.running = false; }
  };

  void close() {
    error_code ignored;
    socket.close(ignored);
  }

  void begin(steady_clock::time_point until);
  void watch(steady_clock::time_point until);
  void on_watchdog();

  bool closed_by_peer();
  bool tls_closed_by_peer();
  Task<std::optional<ClientFailure>> connect();
  Task<std::optional<ClientFailure>> shake_hands();
  Task<error_code> receive_encrypted();
  Task<std::pair<error_code, std::size_t>> read_decrypted(asio::mutable_buffer space);
  Task<error_code> connect_to(Tcp::endpoint endpoint);
  Task<std::optional<ClientFailure>> send();
  Task<ClientResult> receive(Method method);
  std::expected<bool, error_code> feed(std::optional<ResponseReader>& reader, Method method);
  void start_reader(std::optional<ResponseReader>& reader, Method method) const;
  std::unexpected<ClientFailure> lost(error_code ec);

  HttpOrigin origin;
  std::string authority;
  Socket socket;
  std::string out;          // the request as sent
  std::string in;           // what was read and not parsed yet: [0, pending)
  std::size_t pending = 0;  // bytes of `in`

  std::optional<RedisTlsStream> tls;  // of https, since the first connection
  std::string encrypted;              // the request as sent, or the last bytes that came
  std::string decrypted;              // what came and is not in `in` yet

  Timer watchdog;
  bool watching = false;
  steady_clock::time_point watched{};   // when the watchdog looks next
  steady_clock::time_point deadline{};  // of the request that runs
  bool running = false;
  bool timed_out = false;
};

void HttpClient::Impl::begin(steady_clock::time_point until) {
  assert(!running);
  running = true;
  timed_out = false;
  deadline = until;
  if (!watching || until < watched) watch(until);
}

void HttpClient::Impl::watch(steady_clock::time_point until) {
  watching = true;
  watched = until;
  watchdog.expires_at(until);
  watchdog.async_wait([self = shared_from_this()](error_code ec) {
    if (!ec) self->on_watchdog();
  });
}

void HttpClient::Impl::on_watchdog() {
  if (watched > steady_clock::now()) return;  // of an earlier wait, which could not be cancelled any more
  watching = false;
  if (!running) return;
  if (deadline > steady_clock::now()) return watch(deadline);
  timed_out = true;
  close();
}

/// Whether an idle connection is of no use any more: closed, or bytes came that nobody asked for.
bool HttpClient::Impl::closed_by_peer() {
  if (tls) return tls_closed_by_peer();
  char byte;
  error_code ec;
  socket.receive(asio::buffer(&byte, 1), Socket::message_peek, ec);
  return ec != asio::error::would_block;
}

/// What TLS itself sends meanwhile, such as session tickets, is no answer.
bool HttpClient::Impl::tls_closed_by_peer() {
  for (;;) {
    std::array<char, 4'096> bytes;
    error_code ec;
    const std::size_t size = socket.receive(asio::buffer(bytes), 0, ec);
    if (ec) return ec != asio::error::would_block;
    tls->received({bytes.data(), size});
    std::string to_send;
    const auto progress = tls->read(decrypted, to_send);
    if (!progress || *progress == RedisTlsStream::Progress::done || !decrypted.empty() || !to_send.empty()) return true;
  }
}

Task<error_code> HttpClient::Impl::receive_encrypted() {
  encrypted.resize(read_bytes);
  const asio::mutable_buffer space = asio::buffer(encrypted);
  auto [ec, size] = co_await socket.async_read_some(space, use_task);
  if (!ec) tls->received({encrypted.data(), size});
  co_return ec;
}

/// Waits until something can be decrypted.
Task<std::pair<error_code, std::size_t>> HttpClient::Impl::read_decrypted(asio::mutable_buffer space) {
  while (decrypted.empty()) {
    std::string to_send;
    const auto progress = tls->read(decrypted, to_send);
    error_code ec;
    if (!to_send.empty()) {
      const asio::const_buffer all = asio::buffer(to_send);
      std::tie(ec, std::ignore) = co_await asio::async_write(socket, all, use_task);
    }
    if (!progress) ec = asio::error::connection_aborted;
    if (!ec && decrypted.empty()) {
      if (*progress == RedisTlsStream::Progress::done) {
        ec = asio::error::eof;
      } else {
        ec = co_await receive_encrypted();
        if (ec == asio::error::eof) ec = asio::error::connection_reset;  // cut off: TLS did not say goodbye
      }
    }
    if (ec) co_return std::pair(ec, std::size_t{0});
  }
  const std::size_t size = asio::buffer_copy(space, asio::buffer(decrypted));
  decrypted.erase(0, size);
  co_return std::pair(error_code(), size);
}

Task<std::optional<ClientFailure>> HttpClient::Impl::shake_hands() {
  tls.emplace(origin.tls, origin.host);
  decrypted.clear();
  for (;;) {
    encrypted.clear();
    const auto progress = tls->shake_hands(encrypted);
    error_code ec;
    if (!encrypted.empty()) {
      const asio::const_buffer all = asio::buffer(encrypted);
      std::tie(ec, std::ignore) = co_await asio::async_write(socket, all, use_task);
    }
    if (!progress || ec || *progress == RedisTlsStream::Progress::more) {
      if (progress && !ec) ec = co_await receive_encrypted();
      if (progress && !ec) continue;
      close();
      const std::string why = timed_out ? " in time" : ": " + (progress ? ec.message() : progress.error());
      co_return ClientFailure{Kind::connect, "cannot connect to " + authority + why};
    }
    co_return std::nullopt;
  }
}

Task<error_code> HttpClient::Impl::connect_to(Tcp::endpoint endpoint) {
  close();
  error_code ec;
  socket.open(endpoint.protocol(), ec);
  if (ec) co_return ec;
  socket.non_blocking(true, ec);
  if (ec) co_return ec;
  const Tcp::no_delay no_delay(true);
  socket.set_option(no_delay, ec);
  if (ec) co_return ec;
  std::tie(ec) = co_await socket.async_connect(endpoint, use_task);
  if (ec) close();
  co_return ec;
}

Task<std::optional<ClientFailure>> HttpClient::Impl::connect() {
  pending = 0;
  error_code ec;
  const asio::ip::address address = asio::ip::make_address(origin.host, ec);
  if (!ec) {
    const Tcp::endpoint endpoint(address, origin.port);
    ec = co_await connect_to(endpoint);
  } else {
    const HostAddresses found = co_await find_host(origin.host, deadline);
    ec = found.error;
    for (const asio::ip::address& one : found.addresses) {
      if (timed_out) break;
      const Tcp::endpoint endpoint(one, origin.port);
      ec = co_await connect_to(endpoint);
      if (!ec) break;
    }
  }
  if (timed_out || deadline <= steady_clock::now()) {
    close();
    co_return ClientFailure{Kind::connect, "cannot connect to " + authority + " in time"};
  }
  if (ec) co_return ClientFailure{Kind::connect, "cannot connect to " + authority + ": " + ec.message()};
  if (origin.tls) co_return co_await shake_hands();
  co_return std::nullopt;
}

std::unexpected<ClientFailure> HttpClient::Impl::lost(error_code ec) {
  close();
  if (timed_out) return failure(Kind::timed_out, "no answer from " + authority + " in time");
  return failure(Kind::broken, "lost the connection to " + authority + ": " + ec.message());
}

/// Fails with `connect` where the kernel took no byte of the request.
Task<std::optional<ClientFailure>> HttpClient::Impl::send() {
  error_code ec;
  if (tls) {
    encrypted.clear();
    if (const auto written = tls->write(out, encrypted); !written) {
      close();
      co_return ClientFailure{Kind::connect, "cannot send to " + authority + ": " + written.error()};
    }
  }
  const asio::const_buffer all = asio::buffer(tls ? encrypted : out);
  std::size_t sent = socket.write_some(all, ec);
  if (ec && ec != asio::error::would_block) {
    close();
    co_return ClientFailure{Kind::connect, "cannot send to " + authority + ": " + ec.message()};
  }
  if (sent == all.size()) co_return std::nullopt;
  const asio::const_buffer rest = all + sent;
  std::tie(ec, sent) = co_await asio::async_write(socket, rest, use_task);
  if (!ec) co_return std::nullopt;
  co_return lost(ec).error();
}

void HttpClient::Impl::start_reader(std::optional<ResponseReader>& reader, Method method) const {
  reader.emplace();
  if (method == Method::head) reader->skip(true);
}

/// Parses what is in `in`. Returns whether the answer is complete.
std::expected<bool, error_code> HttpClient::Impl::feed(std::optional<ResponseReader>& reader, Method method) {
  std::size_t used = 0;
  error_code ec;
  while (used < pending && !reader->is_done()) {
    // Beast 1.81 asserts that it has got this much once it has seen the size of the last chunk.
    if (reader->is_header_done() && reader->chunked() && pending - used < last_chunk_bytes) break;
    used += reader->put(asio::buffer(in.data() + used, pending - used), ec);
    if (ec == http::error::need_more) break;
    if (ec) return std::unexpected(ec);
    if (reader->is_done() && reader->response.status < 200) start_reader(reader, method);  // 1xx: the answer follows
  }
  std::copy(in.begin() + static_cast<std::ptrdiff_t>(used), in.begin() + static_cast<std::ptrdiff_t>(pending),
            in.begin());
  pending -= used;
  return reader->is_done();
}

Task<ClientResult> HttpClient::Impl::receive(Method method) {
  std::optional<ResponseReader> reader;
  start_reader(reader, method);
  for (;;) {
    if (pending == in.size()) co_return lost(http::error::header_limit);
    const asio::mutable_buffer space = asio::buffer(in.data() + pending, in.size() - pending);
    error_code ec;
    std::size_t size = 0;
    if (tls) {
      std::tie(ec, size) = co_await read_decrypted(space);
    } else {
      std::tie(ec, size) = co_await socket.async_read_some(space, use_task);
    }
    if (ec == asio::error::eof && reader->got_some() && !reader->is_done()) {
      error_code end;
      reader->put_eof(end);
      if (end || !reader->is_done()) co_return lost(end ? end : ec);
      close();
      co_return std::move(reader->response);
    }
    if (ec) co_return lost(ec);
    pending += size;
    const std::size_t grown = pending == in.size() ? std::min(2 * in.size(), read_bytes) : in.size();
    const std::expected<bool, error_code> complete = feed(reader, method);
    if (!complete) co_return lost(complete.error());
    if (!*complete) {
      in.resize(grown);
      continue;
    }
    if (!reader->keep_alive() || pending != 0 || !decrypted.empty()) close();
    co_return std::move(reader->response);
  }
}

HttpClient::HttpClient(IoExecutor executor, HttpOrigin origin)
    : impl_(std::make_shared<Impl>(executor, std::move(origin))) {}

HttpClient::~HttpClient() {
  if (!impl_) return;
  impl_->close();
  impl_->watchdog.cancel();
}

HttpClient::HttpClient(HttpClient&&) noexcept = default;

HttpClient& HttpClient::operator=(HttpClient&& other) noexcept {
  HttpClient old(std::move(other));
  std::swap(impl_, old.impl_);
  return *this;
}

void HttpClient::close() { impl_->close(); }

Task<ClientResult> HttpClient::request(const ClientRequest& request, steady_clock::time_point deadline) {
  const std::shared_ptr<Impl> impl = impl_;
  compose(request, impl->origin, impl->authority, impl->out);
  impl->begin(deadline);
  const Impl::Running running{*impl};
  bool fresh = false;
  if (!impl->socket.is_open() || impl->closed_by_peer()) {
    fresh = true;
    std::optional<ClientFailure> failed = co_await impl->connect();
    if (failed) co_return std::unexpected(std::move(*failed));
  }
  std::optional<ClientFailure> unsent = co_await impl->send();
  if (unsent && unsent->kind == Kind::connect && !fresh) {  // closed a moment ago, and not a byte went out
    unsent = co_await impl->connect();
    if (!unsent) unsent = co_await impl->send();
  }
  if (unsent) co_return std::unexpected(std::move(*unsent));
  co_return co_await impl->receive(request.method);
}

}  // namespace firstcome::net
