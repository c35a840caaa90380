// One acquisition on an SQL server, from its first attempt to its release, on the loop's thread.
#pragma once

#include "lock/event_loop.hpp"
#include "lock/sql/sql_locks.hpp"
#include "lock/sql/sql_pool.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

namespace firstcome::lock {

class SqlClaim;

/// What the acquisitions of one backend share. Used on the loop's thread, but for `loop` and `server`.
struct SqlHome {
  SqlHome(std::shared_ptr<SqlServer> of, const SqlLockOptions& options)
      : server(std::move(of)),
        pool(loop, server, {options.sessions, options.connect_limit, options.request_limit, options.connecting}) {}
  void close();

  EventLoop loop;
  const std::shared_ptr<SqlServer> server;
  SqlPool pool;
  std::unordered_set<std::shared_ptr<SqlClaim>> claims;  ///< those that were begun and have not ended
};

/// Members as of Contender; `begin` first, `end` last, after which everything is answered with `closed`.
class SqlClaim : public std::enable_shared_from_this<SqlClaim> {
 public:
  SqlClaim(std::shared_ptr<SqlHome> home, const Contention& contention, std::string owner);

  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done);
  void cancel(Answer<CancelAnswer> done);
  void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done);
  void held(std::function<void()> doubtful);
  void release(Try repeat, Answer<ReleaseAnswer> done);
  void end();

  SqlHome& home() const { return *home_; }
  EventLoop& loop() const { return home_->loop; }
  const std::string& owner() const { return owner_; }

 private:
  enum class Step : std::uint8_t { none, connecting, preparing, waiting, drawing };

  // An attempt, step by step.
  void connect(SqlPool::Wanted wanted);
  void connected(SqlPool::TakeAnswer taken);
  void prepare();
  void ask();
  void asked(const SqlResult& result);
  void draw();
  void drawn(BootTime sent, const SqlResult& result);
  void failed(const SqlFailure& failure);
  void taken();
  void answer(AttemptAnswer answer);

  // Giving up.
  void cancel_wait();
  void wait_cancelled(const SqlResult& result);
  void undo();
  void given_up();

  void run(std::string statements, BootTime limit, Answer<SqlResult> done);
  void watch_the_end();
  void watch_the_session();
  void lapse();
  void let_go();
  void drop_line();

  const std::shared_ptr<SqlHome> home_;
  const std::string owner_;
  const std::string key_;
  const Milliseconds lease_;
  net::RedisTimer timer_;  ///< the lease's end; else the next try to cancel

  Attempt attempt_;
  Answer<AttemptAnswer> asking_;    ///< an attempt is to be answered
  Answer<CancelAnswer> giving_up_;  ///< a cancel is to be answered
  Step step_ = Step::none;
  SqlPool::Ticket ticket_ = 0;     ///< while connecting
  bool errand_under_way_ = false;  ///< that cancels the wait
  int cancels_ = 0;
  std::shared_ptr<SqlLine> line_;
  SqlPool::Taken::From line_from_ = SqlPool::Taken::From::connecting;

  bool held_ = false;
  bool renewing_ = false;
  BootTime till_;
  std::function<void()> doubtful_;  ///< to be called when the session ends, and with it the lock
};

}  // namespace firstcome::lock
