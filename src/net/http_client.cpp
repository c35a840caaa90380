#include "net/http_client.hpp"

#include "net/find_host.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <optional>
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
constexpr std::size_t read_bytes = 16'384;       // more than Beast allows a head
constexpr std::uint64_t answer_bytes = 64U << 20U;

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
void compose(const ClientRequest& request, std::string_view authority, std::string& out) {
  assert(request.target.starts_with('/') && printable(request.target));
  out.clear();
  out.append(text_of(request.method))
      .append(" ")
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

/// What is left of a chunked body has at least this size.
constexpr std::size_t last_chunk_bytes = std::string_view{"0\r\n\r\n"}.size();

/// Beast's parser, filling a ClientResponse.
class ResponseReader final : public http::basic_parser<false> {
 public:
  ResponseReader() {
    eager(true);
    body_limit(answer_bytes);
  }

  ClientResponse response;

 private:
  using View = boost::beast::string_view;

  void on_request_impl(http::verb, View, View, int, error_code&) override {}
  void on_response_impl(int code, View, int, error_code&) override { response.status = static_cast<unsigned>(code); }
  void on_field_impl(http::field, View name, View value, error_code&) override {
    response.fields_.append(name.data(), name.size()).append(1, ':').append(value.data(), value.size()).append(1, '\n');
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) response.body.reserve(std::min<std::uint64_t>(*length, read_bytes));
  }
  std::size_t on_body_impl(View body, error_code&) override {
    response.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code& ec) override { return on_body_impl(body, ec); }
  void on_finish_impl(error_code&) override {}
};

// Shared with the timer's handler, which may run after the client has gone.
struct HttpClient::Impl : std::enable_shared_from_this<HttpClient::Impl> {
  Impl(IoExecutor executor, HttpOrigin where) : origin(std::move(where)), socket(executor), watchdog(executor) {
    authority = origin.host.find(':') == std::string::npos ? origin.host : "[" + origin.host + "]";
    authority += ":" + std::to_string(origin.port);
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
  Task<std::optional<ClientFailure>> connect();
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
  char byte;
  error_code ec;
  socket.receive(asio::buffer(&byte, 1), Socket::message_peek, ec);
  return ec != asio::error::would_block;
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
  const asio::const_buffer all = asio::buffer(out);
  std::size_t sent = socket.write_some(all, ec);
  if (ec && ec != asio::error::would_block) {
    close();
    co_return ClientFailure{Kind::connect, "cannot send to " + authority + ": " + ec.message()};
  }
  if (sent == out.size()) co_return std::nullopt;
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
    auto [ec, size] = co_await socket.async_read_some(space, use_task);
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
    if (!reader->keep_alive() || pending != 0) close();
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
  compose(request, impl->authority, impl->out);
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

namespace {

Task<void> fetch_into(HttpClient& client, const ClientRequest& request, steady_clock::time_point deadline,
                      ClientResult& result) {
  result = co_await client.request(request, deadline);
}

}  // namespace

ClientResult fetch(const HttpOrigin& origin, const ClientRequest& request, std::chrono::milliseconds timeout) {
  asio::io_context io(1);
  ClientResult result;
  HttpClient client(io.get_executor(), origin);
  const auto stop = [&io](std::exception_ptr failed) {
    io.stop();  // or it would wait for the client's timer
    if (failed) std::rethrow_exception(failed);
  };
  asio::co_spawn(io.get_executor(), fetch_into(client, request, steady_clock::now() + timeout, result), stop);
  io.run();
  return result;
}

std::expected<HttpOrigin, std::string> parse_origin(std::string_view text) {
  const std::string shown = "\"" + std::string(text) + "\"";
  const auto parsed = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
  if (!parsed) return std::unexpected(shown + " is not a URL; give one like http://127.0.0.1:8080");
  const boost::urls::url_view url = *parsed;
  if (url.scheme_id() != boost::urls::scheme::http) return std::unexpected(shown + " does not begin with http://");
  if (url.encoded_host().empty()) return std::unexpected(shown + " names no host");
  if (url.has_userinfo()) return std::unexpected(shown + " carries a user name, which is not supported");
  if (url.has_query() || url.has_fragment() || (!url.encoded_path().empty() && url.encoded_path() != "/")) {
    return std::unexpected(shown + " must end after the port");
  }
  HttpOrigin origin;
  const auto host = url.host_address();
  origin.host.assign(host.data(), host.size());
  if (url.has_port()) {
    if (url.port_number() == 0) return std::unexpected(shown + " has a port that is not in 1-65535");
    origin.port = url.port_number();
  }
  return origin;
}

}  // namespace firstcome::net
