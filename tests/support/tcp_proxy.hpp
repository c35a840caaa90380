// A TCP proxy on 127.0.0.1 that a test makes misbehave: it cuts, stalls, drops and refuses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace firstcome::testing {

/// Thread safety: any thread. What is asked for holds when the call returns.
class TcpProxy {
 public:
  enum class Direction : std::uint8_t { to_server, to_client };

  explicit TcpProxy(std::uint16_t server_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::uint16_t port() const;

  /// Resets all connections.
  void cut();
  /// Resets all connections when so many more bytes have gone that way, counted over all of them. New ones are as
  /// usual.
  void cut_after(std::size_t bytes, Direction direction);
  /// When so many more bytes have gone that way, the connection that carried the last of them stands still in that
  /// direction until `resume`. Others are as usual.
  void stall_after(std::size_t bytes, Direction direction);
  /// Nothing goes either way until `resume`; new connections are accepted and are silent.
  void stall();
  /// Bytes in that direction vanish until `resume`; the other is as usual. A connection of which bytes have vanished is
  /// reset then: TCP loses nothing in the middle of a stream.
  void drop(Direction direction);
  void resume();
  /// New connections are reset at once until `resume`.
  void refuse();
  /// For a server that came back on another port; connections that are there stay.
  void aim_at(std::uint16_t server_port);

  /// Connections that stand still because of `stall_after`.
  std::size_t standing_still() const;
  /// Connections accepted so far.
  std::size_t accepted() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::testing
