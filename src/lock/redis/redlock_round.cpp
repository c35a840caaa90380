#include "lock/redis/redlock_round.hpp"

#include <utility>

namespace firstcome::lock {

void RedlockRound::start(net::IoExecutor executor, std::chrono::milliseconds limit) {
  if (!done_) return;
  timer_.emplace(executor, limit);
  timer_->async_wait([self = shared_from_this()](boost::system::error_code ec) {
    if (!ec) self->time_is_up();
  });
}

void RedlockRound::failed(const net::RedisFailure& failure) {
  if (!done_) return;
  votes_.maybe = votes_.maybe || failure.may_have_run();
  votes_.last = failure;
  count(votes_.failed);
}

void RedlockRound::count(std::size_t& votes) {
  if (!done_) return;
  ++votes;
  const bool decided = until_ == Until::decided && (votes_.most_said_yes() || votes_.is_vain());
  if (decided || votes_.pending() == 0) finish();
}

void RedlockRound::time_is_up() {
  if (!done_) return;
  votes_.failed += votes_.pending();
  votes_.maybe = true;
  votes_.last = {.kind = net::RedisFailure::Kind::timed_out, .detail = "too few of the servers answered in time"};
  finish();
}

void RedlockRound::finish() {
  if (timer_) timer_->cancel();
  std::exchange(done_, nullptr)(votes_);
}

}  // namespace firstcome::lock
