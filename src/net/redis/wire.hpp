// One TCP connection to a Redis server, from connecting to its end: bytes out, replies in, nothing tried again.
//
// Internal: RedisConnection and RedisSubscriber stand on it (through RedisLink). What the kernel has taken is counted,
// so that after a loss it is known which commands cannot have reached the server.
#pragma once

#include "net/http_client.hpp"
#include "net/redis/options.hpp"
#include "net/redis/reply.hpp"
#include "net/redis/tls.hpp"
#include "net/redis/url.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::net {

using RedisTimer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                     boost::asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;

/// Who is told. None of these is called from inside a call into the wire; after `wire_ended` nothing more comes.
class RedisWireUser {
 public:
  RedisWireUser() = default;
  RedisWireUser(const RedisWireUser&) = delete;
  RedisWireUser& operator=(const RedisWireUser&) = delete;
  virtual ~RedisWireUser() = default;
  virtual void wire_connected() = 0;
  virtual void wire_replied(RedisReply reply) = 0;
  virtual void wire_ended(const std::string& reason) = 0;
};

/// Held by a shared pointer, for its handlers. Its user must live until `abandon` or `wire_ended`.
class RedisWire : public std::enable_shared_from_this<RedisWire> {
 public:
  RedisWire(IoExecutor executor, RedisWireUser& user, const RedisAddress& address, const RedisOptions& options);

  /// Connects, with TLS where `tls` is given, and calls `wire_connected`.
  void start(std::unique_ptr<RedisTlsStream> tls);

  /// Closes at once; its user is not called again.
  void abandon();
  /// Closes and tells its user, before this returns.
  void end(const std::string& reason);

  /// Append what is to be sent here, then call `flush_soon`. REQUIRES: connected.
  std::string& out() { return out_; }
  /// Sends what was appended, after what runs now has run.
  void flush_soon();
  /// Bytes that were ever appended.
  std::uint64_t appended() const { return taken_ + out_.size(); }
  /// Of those, how many the server may have got.
  std::uint64_t sent() const { return sent_; }
  /// Bytes that wait for the kernel to take them.
  std::size_t unsent() const { return out_.size() + line_.size() - line_sent_; }
  /// Bytes that it keeps for them; some of those have left already.
  std::size_t kept() const { return out_.size() + line_.size(); }

  /// When the server was heard last; at the beginning when this was made.
  std::chrono::steady_clock::time_point heard_at() const { return heard_at_; }
  std::uint64_t bytes_received() const { return received_; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  const std::string& name() const { return name_; }

 private:
  using Stream = boost::asio::generic::stream_protocol;  // TCP, or a local socket
  using Socket = boost::asio::basic_stream_socket<Stream, IoExecutor>;
  using ErrorCode = boost::system::error_code;

  void look_up();
  void resolved(std::vector<Stream::endpoint> endpoints);
  void try_next();
  void set_options(ErrorCode& ec);
  void drop_unsent();
  void on_connect(ErrorCode ec);
  void read();
  void on_read(ErrorCode ec, std::size_t size);
  void take_bytes(std::string_view bytes);
  void shake_hands();
  void flush();
  void encrypt();
  void on_writable(ErrorCode ec);

  Socket socket_;
  LookUpHost look_up_host_;
  std::optional<HostLookup> lookup_;
  RedisWireUser* user_;  // nullptr: ended
  RedisAddress address_;
  std::string name_;
  std::vector<Stream::endpoint> endpoints_;
  std::size_t next_endpoint_ = 0;
  std::unique_ptr<RedisTlsStream> tls_;
  bool connected_ = false;  // told the user so

  std::string out_;            // appended, not taken yet
  std::string line_;           // on its way: out_ as it was, or encrypted
  std::size_t line_sent_ = 0;  // of line_
  std::uint64_t taken_ = 0;    // bytes that out_ gave to line_
  std::uint64_t sent_ = 0;     // of all appended, what the server may have got
  bool flushing_ = false;      // a flush is posted
  bool waiting_ = false;       // for the socket to take more
  bool broken_ = false;        // it takes nothing more; what the server said before that is still to be read

  RedisReader reader_;
  std::array<char, 16'384> in_;
  std::string plain_;  // decrypted
  std::chrono::steady_clock::time_point heard_at_ = std::chrono::steady_clock::now();
  std::uint64_t received_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace firstcome::net
