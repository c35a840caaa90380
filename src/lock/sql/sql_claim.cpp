#include "lock/sql/sql_claim.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <chrono>
#include <utility>

namespace firstcome::lock {

using std::chrono::milliseconds;
using From = SqlPool::Taken::From;
using What = SqlFailure::What;

namespace {

constexpr milliseconds longest_wait{60'000};  // one statement's; another one follows
constexpr milliseconds early{5};              // so that the server's time-out spares us a cancel
constexpr milliseconds until_the_end{1'000};
constexpr milliseconds first_cancel_pause{20};
constexpr int most_cancels = 8;

/// A session that ended while it was asked: had it the lock, that is over with it. `broken` keeps a wait trying.
LockFailure failure_of(const SqlFailure& failure) {
  const bool over = failure.what == What::ended && failure.failure.kind != LockFailure::Kind::closed;
  return {over ? LockFailure::Kind::broken : failure.failure.kind, failure.failure.detail};
}

bool is_one(const SqlResult& result) { return result && *result == "1"; }

}  // namespace

void SqlHome::close() {
  for (const auto& claim : std::exchange(claims, {})) claim->end();
  pool.close();
}

SqlClaim::SqlClaim(std::shared_ptr<SqlHome> home, const Contention& contention, std::string owner)
    : home_(std::move(home)),
      owner_(std::move(owner)),
      key_(home_->server->key_of(contention.name)),
      lease_(home_->server->lease_kept(contention.lease)),
      timer_(home_->loop.executor()) {}

void SqlClaim::attempt(const Attempt& attempt, Answer<AttemptAnswer> done) {
  assert(!asking_ && !giving_up_ && step_ == Step::none);
  home_->claims.insert(shared_from_this());
  held_ = false;
  drop_line();
  attempt_ = attempt;
  asking_ = std::move(done);
  connect(SqlPool::Wanted::any);
}

void SqlClaim::connect(SqlPool::Wanted wanted) {
  step_ = Step::connecting;
  // The ticket is void where `connected` was called within the call; then the step is another.
  ticket_ = home_->pool.take(
      wanted, [self = shared_from_this()](SqlPool::TakeAnswer taken) mutable { self->connected(std::move(taken)); });
}

void SqlClaim::connected(SqlPool::TakeAnswer taken) {
  assert(step_ == Step::connecting);
  step_ = Step::none;
  if (auto* failure = std::get_if<LockFailure>(&taken)) return answer(std::move(*failure));
  if (std::holds_alternative<Full>(taken)) return answer(Full{});
  auto& got = std::get<SqlPool::Taken>(taken);
  line_ = std::move(got.line);
  line_from_ = got.from;
  prepare();
}

/// The server is told the lease first, since it counts from every statement on.
void SqlClaim::prepare() {
  step_ = Step::preparing;
  if (line_->lease == lease_) return ask();
  line_->lease.reset();
  run(home_->server->lease_sql(lease_), home_->pool.limit(), [self = shared_from_this()](const SqlResult& result) {
    if (self->giving_up_) return self->undo();
    if (!result) return self->failed(result.error());
    self->line_->lease = self->lease_;
    self->ask();
  });
}

void SqlClaim::ask() {
  step_ = Step::waiting;
  const auto left = std::chrono::floor<Milliseconds>(attempt_.until - BootClock::now()) - early;
  const bool once = attempt_.mode == Attempt::Mode::once || left <= Milliseconds{0};
  const SqlServer& server = *home_->server;
  run(once ? server.try_sql(key_) : server.wait_sql(key_, std::min<Milliseconds>(left, longest_wait)),
      once ? home_->pool.limit() : BootTime::max(),
      [self = shared_from_this()](const SqlResult& result) { self->asked(result); });
}

void SqlClaim::asked(const SqlResult& result) {
  if (step_ != Step::waiting) return;
  step_ = Step::none;
  if (giving_up_) {
    if (!errand_under_way_) undo();  // else it might cancel somebody else's statement
    return;
  }
  if (!result) return failed(result.error());
  is_one(result) ? draw() : taken();
}

void SqlClaim::draw() {
  step_ = Step::drawing;
  const BootTime sent = BootClock::now();
  run(home_->server->token_sql(), home_->pool.limit(),
      [self = shared_from_this(), sent](const SqlResult& result) { self->drawn(sent, result); });
}

void SqlClaim::drawn(BootTime sent, const SqlResult& result) {
  if (step_ != Step::drawing) return;
  step_ = Step::none;
  if (giving_up_) return undo();
  std::uint64_t token = 0;
  if (result && *result) std::from_chars((*result)->data(), (*result)->data() + (*result)->size(), token);
  if (token == 0) {
    home_->server->forget_the_tokens();
    drop_line();  // and with it the lock
    return answer(result ? LockFailure{LockFailure::Kind::unavailable, "the SQL server gave no token"}
                         : failure_of(result.error()));
  }
  held_ = true;
  till_ = sent + lease_;
  watch_the_end();
  watch_the_session();
  answer(Grant{.token = token, .base = sent, .length = lease_});
}

void SqlClaim::failed(const SqlFailure& failure) {
  step_ = Step::none;
  if (failure.what == What::taken) return taken();
  drop_line();
  // One that rested may have been ended by the server in the same moment.
  if (failure.what == What::ended && line_from_ == From::rest) return connect(SqlPool::Wanted::new_one);
  answer(failure_of(failure));
}

void SqlClaim::taken() {
  let_go();
  const bool last = attempt_.until - BootClock::now() <= 2 * early;
  answer(last ? Busy{.retry_in = until_the_end} : Busy{});
}

void SqlClaim::answer(AttemptAnswer answer) {
  if (asking_) std::exchange(asking_, nullptr)(std::move(answer));
}

void SqlClaim::cancel(Answer<CancelAnswer> done) {
  timer_.cancel();
  giving_up_ = std::move(done);
  answer(Busy{});
  if (step_ == Step::waiting && attempt_.mode == Attempt::Mode::wait) return cancel_wait();
  if (step_ == Step::preparing || step_ == Step::waiting || step_ == Step::drawing) return;  // its answer goes on
  if (step_ == Step::connecting) home_->pool.leave(ticket_);
  undo();
}

/// The server may not have begun with the statement yet, and forgets what came before it: said again until it works.
void SqlClaim::cancel_wait() {
  if (++cancels_ > most_cancels) {
    drop_line();
    return given_up();
  }
  errand_under_way_ = true;
  home_->pool.run_errand(home_->server->cancel_sql(line_->id()), [self = shared_from_this()](const SqlResult& result) {
    self->errand_under_way_ = false;
    if (self->giving_up_) self->wait_cancelled(result);
  });
}

void SqlClaim::wait_cancelled(const SqlResult& result) {
  if (step_ != Step::waiting) return undo();
  if (!result && result.error().what != What::refused) {
    // It cannot be said: the server will see that the connection is closed, or its own time-out.
    drop_line();
    return given_up();
  }
  timer_.expires_after(first_cancel_pause * (1 << cancels_));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self && self->giving_up_ && self->step_ == Step::waiting) self->cancel_wait();
  });
}

/// Whatever this session has is given back.
void SqlClaim::undo() {
  step_ = Step::none;
  held_ = false;
  if (!line_ || line_->ended()) {
    drop_line();
    return given_up();
  }
  line_->execute(home_->server->reset_sql(key_), home_->pool.limit(),
                 [self = shared_from_this()](const SqlResult& result) {
                   if (!self->line_) return;
                   if (!result && result.error().what == What::cancelled) return self->undo();
                   result ? self->let_go() : self->drop_line();
                   self->given_up();
                 });
}

void SqlClaim::given_up() {
  timer_.cancel();
  step_ = Step::none;
  if (giving_up_) std::exchange(giving_up_, nullptr)({});
}

void SqlClaim::renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) {
  if (!held_ || line_->ended()) return done(Lost{});
  length = home_->server->lease_kept(length);
  const BootTime sent = BootClock::now();
  const bool same = line_->lease == length;
  line_->lease.reset();  // not known until it is answered
  renewing_ = true;
  run(same ? home_->server->ping_sql() : home_->server->lease_sql(length), std::min(home_->pool.limit(), useless_after),
      [self = shared_from_this(), sent, length, done = std::move(done)](const SqlResult& result) mutable {
        self->renewing_ = false;
        if (!result && result.error().what == What::ended) {
          const bool closed = result.error().failure.kind == LockFailure::Kind::closed;
          return closed ? done(closed_failure()) : done(Lost{});
        }
        if (result && self->line_) {
          self->line_->lease = length;
          self->till_ = std::max(self->till_, sent + length);
        }
        if (self->held_) self->watch_the_end();
        if (!result) return done(failure_of(result.error()));
        done(Renewed{sent, length});
      });
}

void SqlClaim::held(std::function<void()> doubtful) {
  doubtful_ = std::move(doubtful);
  if (held_ && line_->ended()) doubtful_();
}

/// An idle connection says at once that the server has ended it. The renewal that follows is answered with `Lost`.
void SqlClaim::watch_the_session() {
  line_->when_ended([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->held_ && self->doubtful_) self->doubtful_();
  });
}

void SqlClaim::release(Try repeat, Answer<ReleaseAnswer> done) {
  timer_.cancel();
  if (!std::exchange(held_, false) || line_->ended()) {
    drop_line();
    return done(repeat == Try::first ? ReleaseOutcome::lost : ReleaseOutcome::unknown);
  }
  run(home_->server->release_sql(key_), home_->pool.limit(),
      [self = shared_from_this(), done = std::move(done)](const SqlResult& result) mutable {
        if (result) {
          self->let_go();
          return done(is_one(result) ? ReleaseOutcome::released : ReleaseOutcome::lost);
        }
        self->drop_line();
        const LockFailure& failure = result.error().failure;
        if (failure.kind == LockFailure::Kind::closed) return done(std::unexpected(failure));
        done(ReleaseOutcome::unknown);  // its end goes with the session's
      });
}

void SqlClaim::end() {
  home_->claims.erase(shared_from_this());
  timer_.cancel();
  held_ = false;
  if (step_ == Step::connecting) home_->pool.leave(ticket_);
  step_ = Step::none;
  answer(closed_failure());
  if (giving_up_) std::exchange(giving_up_, nullptr)(std::unexpected(closed_failure()));
  if (line_) line_->close(closed_failure());
  drop_line();
}

/// Cancelled by nobody of us: meant for an earlier statement of this session, so it is said again.
void SqlClaim::run(std::string statements, BootTime limit, Answer<SqlResult> done) {
  std::string said = statements;
  line_->execute(
      std::move(statements), limit,
      [self = shared_from_this(), said = std::move(said), limit, done = std::move(done)](SqlResult result) mutable {
        const bool stray = !result && result.error().what == What::cancelled && !self->giving_up_;
        if (stray && self->line_) return self->run(std::move(said), limit, std::move(done));
        done(std::move(result));
      });
}

/// The server counts later than we do, and MariaDB in seconds: whoever can tells it at the end itself.
void SqlClaim::watch_the_end() {
  timer_.expires_at(loop_deadline(till_));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || !self->held_ || self->renewing_) return;
    BootClock::now() < self->till_ ? self->watch_the_end() : self->lapse();
  });
}

void SqlClaim::lapse() {
  held_ = false;
  const std::shared_ptr<SqlLine> line = std::exchange(line_, nullptr);
  line->when_ended({});
  line->execute(home_->server->reset_sql(key_), home_->pool.limit(),
                [self = shared_from_this(), line](SqlResult result) {
                  SqlPool& pool = self->home_->pool;
                  result ? pool.give_back(line) : pool.drop(line);
                });
}

void SqlClaim::let_go() {
  if (!line_) return;
  line_->when_ended({});
  home_->pool.give_back(std::exchange(line_, nullptr));
}

void SqlClaim::drop_line() {
  if (line_) home_->pool.drop(std::exchange(line_, nullptr));
}

}  // namespace firstcome::lock
