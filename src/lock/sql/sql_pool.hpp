// The sessions of one backend: dedicated ones, of which there is a bound, and one for short errands.
#pragma once

#include "lock/event_loop.hpp"
#include "lock/sql/sql_connector.hpp"
#include "lock/sql/sql_line.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace firstcome::lock {

/// Used on the loop's thread, but for the constructor and `join`.
class SqlPool {
 public:
  struct Options {
    std::size_t sessions;  ///< dedicated ones at once
    Milliseconds connect_limit;
    Milliseconds request_limit;
    std::size_t connecting;  ///< threads
  };
  struct Taken {
    std::shared_ptr<SqlLine> line;
    enum class From : std::uint8_t { rest, connecting } from;
  };
  /// Full: `sessions` are in use.
  using TakeAnswer = std::variant<Taken, Full, LockFailure>;
  enum class Wanted : std::uint8_t { any, new_one };

  SqlPool(EventLoop& loop, std::shared_ptr<SqlServer> server, const Options& options);

  /// A session for one user until `give_back` or `drop`. `done` may be called within the call.
  /// The ticket is for `leave`, while it was not called yet.
  using Ticket = std::uint64_t;
  Ticket take(Wanted wanted, Answer<TakeAnswer> done);
  /// Not wanted any more: `done` is not called. The connection that is being made is for whoever comes next.
  void leave(Ticket ticket);
  /// It holds nothing any more: the next user may have it.
  void give_back(std::shared_ptr<SqlLine> line);
  /// Closes it, and with it ends whatever it holds.
  void drop(const std::shared_ptr<SqlLine>& line);

  /// One short statement on a session that is shared by all errands.
  void run_errand(std::string statements, SqlLine::Done done);

  /// Answers everything with `closed`.
  void close();
  /// After the loop has ended.
  void join() { connector_.close(); }

  BootTime limit() const { return BootClock::now() + options_.request_limit; }

 private:
  using Connected = std::expected<std::shared_ptr<SqlLine>, LockFailure>;
  struct Errand {
    std::string statements;
    BootTime limit;
    SqlLine::Done done;
  };

  void connect(Answer<Connected> done);
  void connected(std::uint64_t id, SqlConnector::Connected session);
  void connect_for_takers();
  void serve(Connected connected);
  void hand_over(std::shared_ptr<SqlLine> line, Taken::From from);
  void rest(std::shared_ptr<SqlLine> line);
  void drop_resting();
  void start_errands(Connected runner);
  void start_errand(Errand errand);
  void errand_done();

  EventLoop& loop_;
  const std::shared_ptr<SqlServer> server_;
  const Options options_;
  SqlConnector connector_;

  bool closed_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Answer<Connected>> connecting_;  ///< the errands' too
  std::size_t connecting_for_takers_ = 0;
  std::map<Ticket, Answer<TakeAnswer>> takers_;  ///< first come, first served
  std::set<std::shared_ptr<SqlLine>> used_;
  std::vector<std::shared_ptr<SqlLine>> resting_;

  std::shared_ptr<SqlLine> runner_;  ///< of the errands
  bool runner_connects_ = false;
  std::size_t errands_under_way_ = 0;
  std::vector<Errand> errands_;  ///< until there is a runner
};

}  // namespace firstcome::lock
