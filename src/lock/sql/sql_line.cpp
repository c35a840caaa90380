#include "lock/sql/sql_line.hpp"

#include "lock/event_loop.hpp"
#include "lock/sql/sql_count.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

namespace firstcome::lock {

namespace {

using What = SqlFailure::What;

SqlFailure no_answer() {
  return {What::timed_out, {LockFailure::Kind::broken, "the SQL server did not answer in time"}};
}

}  // namespace

SqlLine::SqlLine(net::IoExecutor executor, std::unique_ptr<SqlSession> session)
    : session_(std::move(session)), id_(session_->id()), socket_(executor), timer_(executor) {}

void SqlLine::start() {
  boost::system::error_code failed;
  socket_.assign(::fcntl(session_->socket(), F_DUPFD_CLOEXEC, 0), failed);
  if (failed) return end({What::ended, {LockFailure::Kind::unavailable, "no more files can be opened"}});
  listen();
}

void SqlLine::listen() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [weak = weak_from_this()](const boost::system::error_code& error) {
                       const auto self = weak.lock();
                       if (!error && self && !self->ended()) self->on_readable();
                     });
}

void SqlLine::on_readable() {
  const auto self = shared_from_this();
  if (in_flight_) {
    if (auto result = session_->read()) answer(std::move(*result));
  } else if (const auto over = session_->look()) {
    end(*over);
  }
  if (!ended()) listen();
}

void SqlLine::answer(SqlResult result) {
  if (!result && result.error().what == What::ended) return end(result.error());
  Done done = std::move(queue_.front().done);
  queue_.pop_front();
  in_flight_ = false;
  if (done) done(std::move(result));
  if (!ended()) send_next();
}

void SqlLine::execute(std::string statements, BootTime limit, Done done) {
  assert(!rests_until_);
  if (ended()) {
    // Later, as always.
    boost::asio::post(socket_.get_executor(), [done = std::move(done)]() mutable {
      done(std::unexpected(SqlFailure{What::ended, {LockFailure::Kind::broken, "the SQL session has ended"}}));
    });
    return;
  }
  queue_.push_back({std::move(statements), limit, std::move(done)});
  send_next();
}

void SqlLine::send_next() {
  if (!in_flight_ && !queue_.empty()) {
    in_flight_ = true;
    count_sql_statements(1);
    session_->send(queue_.front().statements);
  }
  set_timer();
}

void SqlLine::rest(Milliseconds limit, std::move_only_function<void()> ended) {
  assert(queue_.empty());
  rests_until_ = BootClock::now() + limit;
  on_end_ = std::move(ended);
  set_timer();
}

void SqlLine::wake() {
  rests_until_.reset();
  on_end_ = nullptr;
  set_timer();
}

void SqlLine::set_timer() {
  BootTime next = rests_until_.value_or(BootTime::max());
  for (const Pending& pending : queue_) {
    if (pending.done) next = std::min(next, pending.limit);
  }
  timer_.cancel();
  if (next == BootTime::max()) return;
  timer_.expires_at(loop_deadline(next));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self && !self->ended()) self->on_timer();
  });
}

void SqlLine::on_timer() {
  const auto self = shared_from_this();
  const BootTime now = BootClock::now();
  if (rests_until_ && now >= *rests_until_) {
    return end({What::ended, {LockFailure::Kind::broken, "the SQL session was not needed any more"}});
  }
  std::vector<Done> late;
  for (Pending& pending : queue_) {
    if (pending.done && now >= pending.limit) late.push_back(std::exchange(pending.done, nullptr));
  }
  const auto unsent = queue_.begin() + (in_flight_ ? 1 : 0);
  queue_.erase(std::remove_if(unsent, queue_.end(), [](const Pending& pending) { return !pending.done; }),
               queue_.end());
  set_timer();
  for (Done& done : late) done(std::unexpected(no_answer()));
}

void SqlLine::close(LockFailure why) {
  if (!ended()) end({What::ended, std::move(why)});
}

void SqlLine::end(const SqlFailure& why) {
  const auto self = shared_from_this();
  boost::system::error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  session_.reset();
  in_flight_ = false;
  rests_until_.reset();
  auto told = std::exchange(queue_, {});
  if (on_end_) std::exchange(on_end_, nullptr)();
  for (Pending& pending : told) {
    if (pending.done) pending.done(std::unexpected(why));
  }
}

}  // namespace firstcome::lock
