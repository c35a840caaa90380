#include "lock/sql/sql_pool.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace firstcome::lock {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t most_resting = 8;
constexpr milliseconds longest_rest{30'000};
constexpr std::size_t most_errands = 1'024;

SqlFailure ended(LockFailure failure) { return {SqlFailure::What::ended, std::move(failure)}; }

}  // namespace

SqlPool::SqlPool(EventLoop& loop, std::shared_ptr<SqlServer> server, const Options& options)
    : loop_(loop), server_(std::move(server)), options_(options), connector_(server_, options.connecting) {}

SqlPool::Ticket SqlPool::take(Wanted wanted, Answer<TakeAnswer> done) {
  if (closed_) {
    done(closed_failure());
    return 0;
  }
  if (used_.size() + takers_.size() >= options_.sessions) {
    done(Full{});
    return 0;
  }
  // Where one was stale, the others are too.
  if (wanted == Wanted::new_one) drop_resting();
  const Ticket ticket = ++last_id_;
  takers_.emplace(ticket, std::move(done));
  if (resting_.empty()) {
    connect_for_takers();
  } else {
    std::shared_ptr<SqlLine> line = std::move(resting_.back());
    resting_.pop_back();
    line->wake();
    hand_over(std::move(line), Taken::From::rest);
  }
  return ticket;
}

void SqlPool::leave(Ticket ticket) { takers_.erase(ticket); }

void SqlPool::connect_for_takers() {
  const auto open = [this] { return used_.size() + resting_.size() + connecting_for_takers_; };
  while (!closed_ && connecting_for_takers_ < takers_.size() && open() < options_.sessions) {
    ++connecting_for_takers_;
    connect([this](Connected connected) { serve(std::move(connected)); });
  }
}

void SqlPool::serve(Connected connected) {
  --connecting_for_takers_;
  if (connected) {
    hand_over(std::move(*connected), Taken::From::connecting);
  } else if (!takers_.empty()) {
    auto first = takers_.extract(takers_.begin());
    first.mapped()(std::move(connected.error()));
  }
  connect_for_takers();
}

void SqlPool::hand_over(std::shared_ptr<SqlLine> line, Taken::From from) {
  if (takers_.empty()) return rest(std::move(line));
  used_.insert(line);
  auto first = takers_.extract(takers_.begin());
  first.mapped()(Taken{std::move(line), from});
}

void SqlPool::give_back(std::shared_ptr<SqlLine> line) {
  used_.erase(line);
  if (closed_ || line->ended()) return drop(line);
  hand_over(std::move(line), Taken::From::rest);
}

void SqlPool::rest(std::shared_ptr<SqlLine> line) {
  // The server ends it at the end of the lease that it was last told: some time before, it is ended from here.
  const Milliseconds limit = std::min<Milliseconds>(longest_rest, line->lease.value_or(2 * longest_rest) / 2);
  if (line->ended() || resting_.size() >= most_resting || limit <= Milliseconds{0}) return drop(line);
  SqlLine* const which = line.get();
  resting_.push_back(std::move(line));
  which->rest(limit, [this, which] {
    std::erase_if(resting_, [which](const std::shared_ptr<SqlLine>& resting) { return resting.get() == which; });
  });
}

void SqlPool::drop_resting() {
  for (const auto& line : std::exchange(resting_, {})) line->close({LockFailure::Kind::broken, "not used any more"});
}

void SqlPool::drop(const std::shared_ptr<SqlLine>& line) {
  const std::shared_ptr<SqlLine> kept = line;
  used_.erase(kept);
  kept->close({LockFailure::Kind::broken, "the SQL session was given up"});
  connect_for_takers();
}

void SqlPool::connect(Answer<Connected> done) {
  const std::uint64_t id = ++last_id_;
  connecting_.emplace(id, std::move(done));
  connector_.connect(BootClock::now() + options_.connect_limit, [this, id](SqlConnector::Connected session) {
    auto kept = std::make_shared<SqlConnector::Connected>(std::move(session));
    loop_.post([this, id, kept] { connected(id, std::move(*kept)); });
  });
}

void SqlPool::connected(std::uint64_t id, SqlConnector::Connected session) {
  auto node = connecting_.extract(id);
  if (node.empty()) return;  // closed
  if (!session) return node.mapped()(std::unexpected(std::move(session.error())));
  auto line = std::make_shared<SqlLine>(loop_.executor(), std::move(*session));
  line->start();
  node.mapped()(std::move(line));
}

void SqlPool::run_errand(std::string statements, SqlLine::Done done) {
  Errand errand{std::move(statements), limit(), std::move(done)};
  if (closed_) return errand.done(std::unexpected(ended(closed_failure())));
  if (runner_ && !runner_->ended()) return start_errand(std::move(errand));
  if (errands_.size() >= most_errands) {
    return errand.done(std::unexpected(ended({LockFailure::Kind::unavailable, "too much is asked of the SQL server"})));
  }
  errands_.push_back(std::move(errand));
  if (std::exchange(runner_connects_, true)) return;
  connect([this](Connected connected) { start_errands(std::move(connected)); });
}

void SqlPool::start_errands(Connected runner) {
  runner_connects_ = false;
  errands_under_way_ = 0;
  runner_ = runner ? *runner : nullptr;
  for (Errand& errand : std::exchange(errands_, {})) {
    if (runner) {
      start_errand(std::move(errand));
    } else {
      errand.done(std::unexpected(ended(runner.error())));
    }
  }
}

void SqlPool::start_errand(Errand errand) {
  if (errands_under_way_++ == 0) runner_->wake();
  runner_->execute(std::move(errand.statements), errand.limit,
                   [this, runner = runner_, done = std::move(errand.done)](SqlResult result) mutable {
                     // A runner that does not answer is not waited for again.
                     if (!result && result.error().what == SqlFailure::What::timed_out) {
                       runner->close({LockFailure::Kind::broken, "the SQL server does not answer"});
                     }
                     if (runner == runner_) errand_done();
                     done(std::move(result));
                   });
}

void SqlPool::errand_done() {
  if (--errands_under_way_ == 0 && !runner_->ended()) runner_->rest(longest_rest, [] {});
}

void SqlPool::close() {
  closed_ = true;
  for (auto& [id, done] : std::exchange(connecting_, {})) done(std::unexpected(closed_failure()));
  for (auto& [ticket, done] : std::exchange(takers_, {})) done(closed_failure());
  drop_resting();
  for (const auto& line : std::exchange(used_, {})) line->close(closed_failure());
  if (runner_) std::exchange(runner_, nullptr)->close(closed_failure());
}

}  // namespace firstcome::lock
