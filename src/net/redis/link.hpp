// A connection that is made again: attempts with a time limit, AUTH and SELECT, jittered pauses.
//
// Internal: what RedisConnection and RedisSubscriber have in common.
#pragma once

#include "net/redis/command.hpp"
#include "net/redis/connection.hpp"
#include "net/redis/wire.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::net {

/// Held by a shared pointer. All on the executor's thread.
class RedisLink : public RedisWireUser, public std::enable_shared_from_this<RedisLink> {
 public:
  RedisLink(IoExecutor executor, RedisEndpoint endpoint, RedisOptions options, RedisRole role);

  /// Begins to connect; where the endpoint names no host yet, waits for `move_to` as if an attempt ran.
  void start();
  /// Its owner has gone: ends it with `stop`, and completes what is under way, later.
  virtual void close() = 0;
  /// Ends the present connection, if there is one, as if it had broken; another is made.
  void drop(const std::string& reason);

  /// From now on the server is there. Ends the present connection, if there is one, and connects at once.
  void move_to(const RedisAddress& address);
  /// Where the link waits for `move_to`: that attempt has failed. It goes on waiting.
  void give_up(RedisFailure why);

  bool is_up() const { return state_ == State::up; }
  bool is_trying() const { return state_ == State::connecting || state_ == State::greeting || state_ == State::held; }
  /// Why there is no connection: `not_sent`, down or denied.
  const RedisFailure& why_down() const { return why_down_; }
  const RedisEndpoint& endpoint() const { return endpoint_; }
  const IoExecutor& executor() const { return executor_; }
  const RedisOptions& options() const { return options_; }
  RedisCounters counters() const;

 protected:
  enum class Was : std::uint8_t { up, trying };

  /// A connection is ready.
  virtual void link_up(std::uint64_t nth) = 0;
  virtual void link_replied(RedisReply reply) = 0;
  /// A connection was lost, or an attempt failed; see `why_down`. `sent`: how many of the bytes the server may have
  /// got.
  virtual void link_down(Was was, std::uint64_t sent) = 0;

  using TimePoint = std::chrono::steady_clock::time_point;
  /// Ends what was to be answered by now, and says when the next is due.
  virtual std::optional<TimePoint> link_due() = 0;
  /// `link_due` is called then, if not before.
  void watch(TimePoint until);

  /// Ends it for good; no hook is called any more.
  void stop();

  RedisWire& wire() { return *wire_; }
  const RedisWire& wire() const { return *wire_; }
  RedisCounters& counted() { return counters_; }

 private:
  enum class State : std::uint8_t { held, pausing, connecting, greeting, up, stopped };

  void wire_connected() final;
  void wire_replied(RedisReply reply) final;
  void wire_ended(const std::string& reason) final;

  void on_due();
  void connect();
  void pause();
  bool logs_in() const;
  bool asks_for_login(const RedisReply& reply) const;
  void greet();
  void check_greeting(const RedisReply& reply);
  std::string objection(const RedisReply& reply) const;
  void set_down(std::string reason);

  IoExecutor executor_;
  RedisEndpoint endpoint_;
  RedisOptions options_;
  RedisRole role_;
  std::shared_ptr<RedisTlsContext> tls_;
  State state_ = State::pausing;
  std::shared_ptr<RedisWire> wire_;
  RedisTimer timer_;  // of an attempt, or of a pause
  RedisTimer due_timer_;
  std::optional<TimePoint> due_;  // what it waits for
  RedisBackoff backoff_;
  RedisFailure why_down_;
  bool was_denied_ = false;             // by the server, in the present attempt
  bool login_wanted_ = false;           // it was kept back, and the server has asked for it
  std::vector<std::string> greetings_;  // the names of the commands that are not answered yet, the last first
  RedisCounters counters_;              // without those of wire_
};

}  // namespace firstcome::net
