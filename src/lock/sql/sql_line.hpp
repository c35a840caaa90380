// One session on the event loop: statements one after another, each with a time limit.
#pragma once

#include "lock/sql/sql_session.hpp"
#include "net/redis/wire.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::lock {

/// Used on the loop's thread alone. A line that has ended stays so; it answers all that were asked, and releases the
/// connection at once.
class SqlLine : public std::enable_shared_from_this<SqlLine> {
 public:
  using Done = Answer<SqlResult>;

  SqlLine(net::IoExecutor executor, std::unique_ptr<SqlSession> session);
  /// Begins to listen. Once, first.
  void start();

  /// `done` is called once, later. After `limit` it is told `timed_out`: if the statement was not sent by then it never
  /// is, else its answer, when it comes, is thrown away.
  void execute(std::string statements, BootTime limit, Done done);
  /// Is told once when it ends, by whoever's doing; takes the place of who was to be told before. Empty: nobody.
  void when_ended(std::move_only_function<void()> told) { on_end_ = std::move(told); }
  /// Nobody uses it: ends by itself after that, or when the server ends it. `ended` is called then, as above.
  void rest(Milliseconds limit, std::move_only_function<void()> ended);
  /// It is used again.
  void wake();
  void close(LockFailure why);

  bool ended() const { return session_ == nullptr; }
  const std::string& id() const { return id_; }

  std::optional<Milliseconds> lease;  ///< what the server was last told; none: not known

 private:
  struct Pending {
    std::string statements;
    BootTime limit;
    Done done;
  };

  void listen();
  void on_readable();
  void answer(SqlResult result);
  void send_next();
  void set_timer();
  void on_timer();
  void end(const SqlFailure& why);

  std::unique_ptr<SqlSession> session_;
  const std::string id_;
  boost::asio::posix::basic_stream_descriptor<net::IoExecutor> socket_;  ///< a duplicate, to wait with
  net::RedisTimer timer_;
  std::deque<Pending> queue_;
  bool in_flight_ = false;  ///< the first of them was sent
  std::optional<BootTime> rests_until_;
  std::move_only_function<void()> on_end_;
};

}  // namespace firstcome::lock
