// One pipelined connection to one Redis server, which connects by itself, and again after it was lost.
//
// Mechanism: commands are encoded into one buffer, and all that came in one turn of the io_context leave with one
// system call. Replies come in the order of the commands. One timer per connection looks after all deadlines: it sleeps
// until the earliest that it knows of. A command without an answer in time fails alone; its answer is thrown away when
// it comes. Only where the server says nothing at all for a while is the connection made anew.
//
// A command is sent once. The one exception is a script that the server did not know (NOSCRIPT): that did not run, and
// is sent again with its text.
#pragma once

#include "net/http_client.hpp"
#include "net/redis/command.hpp"
#include "net/redis/link_handle.hpp"
#include "net/redis/options.hpp"
#include "net/redis/reply.hpp"
#include "net/redis/url.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace firstcome::net {

/// What a server must be to be taken; another is a failed attempt, and is tried again.
enum class RedisRole : std::uint8_t { any, master };

/// Commands that this process has sent over all its connections, but for those of connecting and of channels.
/// Thread-safe.
std::uint64_t redis_commands_sent();

/// Not thread-safe: use on the executor's thread only. May be destroyed at any time, also from its own callbacks:
/// commands that run then complete as not_sent or unknown, from the executor.
class RedisConnection : public RedisLinkHandle {
 public:
  /// An endpoint without a host waits for `move_to`.
  RedisConnection(IoExecutor executor, RedisEndpoint endpoint, RedisOptions options = {},
                  RedisRole role = RedisRole::any);

  /// Sends a command. `done` is called once, from the executor, never from inside this call, in the order of the
  /// commands on this connection except for scripts that had to be sent again. Commands of one thread reach the server
  /// in their order. Not for commands that change the connection: SUBSCRIBE, MULTI over several calls, blocking ones.
  /// Cost: no allocation besides the command's own, where `done` captures little.
  void execute(RedisCommand command, std::chrono::steady_clock::time_point deadline, RedisDone done);

  /// The same for coroutines.
  Task<RedisResult> execute(RedisCommand command, std::chrono::steady_clock::time_point deadline);

  /// Two commands that reach the server next to each other, for ASKING; `done` hears of the second only.
  void execute_asking(RedisCommand command, std::chrono::steady_clock::time_point deadline, RedisDone done);

  /// Called each time a connection is ready (also AUTH and SELECT have been answered), before commands that waited for
  /// it are sent; with 1, 2, 3... Give it before the io_context runs on.
  void when_connected(std::move_only_function<void(std::uint64_t nth)> callback);
  /// Called when a connection that was ready is lost, and for each attempt that failed; with the reason.
  void when_lost(std::move_only_function<void(const std::string& reason)> callback);

  /// Called for each error that the server replied, before the command's own callback.
  void when_refused(std::move_only_function<void(const RedisFailure& failure)> callback);

  bool is_connected() const;
  /// Commands without an answer yet.
  std::size_t pending() const;

 private:
  class Impl;
  Impl& impl() const;
};

}  // namespace firstcome::net
