#include "net/redis/wire.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cassert>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;

namespace {

// A host that is gone without a word is noticed by the kernel, also where nothing is sent; and what keeps state on the
// way (NAT, firewalls) sees that the connection is in use.
constexpr int keepalive_idle_s = 15;
constexpr int keepalive_interval_s = 5;
constexpr int keepalive_probes = 3;
constexpr unsigned unacknowledged_limit_ms = 10'000;

constexpr std::size_t most_encrypted = 64U << 10U;  // bytes that wait in encrypted form; the rest waits plain

void set_tcp_options(int socket) {
  const auto set = [socket](int level, int name, auto value) {
    ::setsockopt(socket, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set(IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set(IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_limit_ms);
}

}  // namespace

RedisWire::RedisWire(IoExecutor executor, RedisWireUser& user, const RedisAddress& address, const RedisOptions& options)
    : socket_(executor),
      look_up_host_(options.look_up),
      user_(&user),
      address_(address),
      name_(to_string(address)),
      reader_(options.most_reply_bytes) {}

void RedisWire::start(std::unique_ptr<RedisTlsStream> tls) {
  tls_ = std::move(tls);
  if (is_local(address_)) return resolved({asio::local::stream_protocol::endpoint(address_.host)});
  ErrorCode ec;
  const asio::ip::address numeric = asio::ip::make_address(address_.host, ec);
  if (!ec) return resolved({asio::ip::tcp::endpoint(numeric, address_.port)});
  look_up();
}

void RedisWire::look_up() {
  const auto found = [weak = weak_from_this()](const HostAddresses& host) {
    const std::shared_ptr<RedisWire> self = weak.lock();
    if (!self || self->user_ == nullptr) return;
    if (host.error) return self->end("cannot find the address of " + self->name_ + ": " + host.error.message());
    std::vector<Stream::endpoint> endpoints;
    for (const asio::ip::address& one : host.addresses) {
      endpoints.emplace_back(asio::ip::tcp::endpoint(one, self->address_.port));
    }
    self->resolved(std::move(endpoints));
  };
  lookup_.emplace(socket_.get_executor(), address_.host, found, look_up_host_);
}

void RedisWire::resolved(std::vector<Stream::endpoint> endpoints) {
  endpoints_ = std::move(endpoints);
  try_next();
}

void RedisWire::try_next() {
  assert(next_endpoint_ < endpoints_.size());
  const Stream::endpoint endpoint = endpoints_[next_endpoint_++];
  ErrorCode ec;
  socket_.close(ec);
  socket_.open(endpoint.protocol(), ec);
  if (!ec) set_options(ec);
  if (ec) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), ec] { self->on_connect(ec); });
    return;
  }
  socket_.async_connect(endpoint, [self = shared_from_this()](ErrorCode failed) { self->on_connect(failed); });
}

void RedisWire::set_options(ErrorCode& ec) {
  // Not for the programs that this process starts: the server must see that it has ended.
  ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
  socket_.non_blocking(true, ec);
  if (!is_local(address_)) set_tcp_options(socket_.native_handle());
}

void RedisWire::on_connect(ErrorCode ec) {
  if (user_ == nullptr) return;
  if (ec && next_endpoint_ < endpoints_.size()) return try_next();
  if (ec) return end("cannot connect to " + name_ + ": " + ec.message());
  if (tls_) {
    shake_hands();
  } else {
    connected_ = true;
    user_->wire_connected();
  }
  if (user_ != nullptr) read();
}

void RedisWire::shake_hands() {
  const auto progress = tls_->shake_hands(line_);
  if (!progress) {
    flush();  // the alert that tells the server why
    if (user_ != nullptr) end("cannot speak TLS with " + name_ + ": " + progress.error());
    return;
  }
  if (*progress == RedisTlsStream::Progress::done) {
    connected_ = true;
    user_->wire_connected();
  }
  if (user_ != nullptr) flush_soon();
}

/// Takes back what the server has not acknowledged. Else the kernel would go on sending it, and a command whose
/// answer nobody waits for any more could still run long after it was asked again over another connection.
void RedisWire::drop_unsent() {
  int unacknowledged = 0;
  if (!socket_.is_open() || ::ioctl(socket_.native_handle(), SIOCOUTQ, &unacknowledged) != 0) return;
  if (unacknowledged == 0) return;
  ErrorCode ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

void RedisWire::abandon() {
  user_ = nullptr;
  lookup_.reset();
  drop_unsent();
  ErrorCode ignored;
  socket_.close(ignored);
}

void RedisWire::end(const std::string& reason) {
  if (user_ == nullptr) return;
  RedisWireUser* const user = user_;
  const std::shared_ptr<RedisWire> keep = shared_from_this();
  abandon();
  user->wire_ended(reason);
}

void RedisWire::read() {
  socket_.async_read_some(asio::buffer(in_),
                          [self = shared_from_this()](ErrorCode ec, std::size_t size) { self->on_read(ec, size); });
}

void RedisWire::on_read(ErrorCode ec, std::size_t size) {
  if (user_ == nullptr) return;
  if (ec) {
    const std::string what = ec == asio::error::eof ? "the server closed it" : ec.message();
    return end("lost the connection to " + name_ + ": " + what);
  }
  received_ += size;
  heard_at_ = std::chrono::steady_clock::now();
  const std::string_view bytes(in_.data(), size);
  if (!tls_) {
    take_bytes(bytes);
  } else {
    tls_->received(bytes);
    if (!connected_) shake_hands();
    if (user_ != nullptr && connected_) {
      plain_.clear();
      const auto progress = tls_->read(plain_, line_);
      if (line_.size() > line_sent_) flush_soon();
      take_bytes(plain_);
      if (user_ != nullptr && !progress) return end("lost the connection to " + name_ + ": " + progress.error());
      if (user_ != nullptr && *progress == RedisTlsStream::Progress::done) {
        return end("lost the connection to " + name_ + ": the server closed it");
      }
    }
  }
  if (user_ != nullptr) read();
}

void RedisWire::take_bytes(std::string_view bytes) {
  if (const auto fed = reader_.feed(bytes); !fed) return end("cannot read from " + name_ + ": " + fed.error());
  while (user_ != nullptr) {
    auto reply = reader_.next();
    if (!reply) return end("cannot read the reply of " + name_ + ": " + reply.error());
    if (!*reply) return;
    user_->wire_replied(std::move(**reply));
  }
}

void RedisWire::flush_soon() {
  if (flushing_ || waiting_) return;
  flushing_ = true;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->flushing_ = false;
    self->flush();
  });
}

void RedisWire::encrypt() {
  // Where the server always takes a bit less than comes, the line never gets empty.
  line_.erase(0, line_sent_);
  line_sent_ = 0;
  const auto written = tls_->write(out_, line_);
  // Conservative: the server may get any of it once some of the line is sent.
  taken_ += out_.size();
  sent_ = taken_;
  out_.clear();
  if (!written) end("lost the connection to " + name_ + ": " + written.error());
}

void RedisWire::flush() {
  while (user_ != nullptr && !waiting_ && !broken_) {
    if (line_sent_ == line_.size()) {
      line_.clear();
      line_sent_ = 0;
      if (out_.empty()) return;
      if (!tls_) {
        taken_ += out_.size();
        std::swap(line_, out_);
      }
    }
    if (tls_ && connected_ && !out_.empty() && line_.size() - line_sent_ < most_encrypted) encrypt();
    if (user_ == nullptr || line_sent_ == line_.size()) return;
    ErrorCode ec;
    const std::size_t size = socket_.write_some(asio::buffer(line_.data() + line_sent_, line_.size() - line_sent_), ec);
    if (ec == asio::error::would_block) {
      waiting_ = true;
      socket_.async_wait(Socket::wait_write,
                         [self = shared_from_this()](ErrorCode failed) { self->on_writable(failed); });
      return;
    }
    if (ec) {
      broken_ = true;  // reading goes on, and meets the end
      return;
    }
    line_sent_ += size;
    bytes_sent_ += size;
    if (!tls_) sent_ += size;
  }
}

void RedisWire::on_writable(ErrorCode ec) {
  waiting_ = false;
  if (user_ == nullptr) return;
  if (ec) return end("lost the connection to " + name_ + ": " + ec.message());
  flush();
}

}  // namespace firstcome::net
