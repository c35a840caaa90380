#include "lock/redis/fifo_replicas.hpp"

#include "lock/event_loop.hpp"
#include "lock/redis/redis_failure.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

constexpr std::chrono::milliseconds replicas_limit{500};

}  // namespace

void FifoReplicas::when_replicated(const std::string& key, Known done) {
  if (!client_) return done(closed_failure());
  const bool is_cluster = client_->publish_command() != "PUBLISH";
  const std::string connection = is_cluster ? key : std::string();
  Gathered& gathered = gathered_[connection];
  gathered.next.push_back({key, client_->settled_since(key), std::move(done)});
  if (!gathered.asking) ask(connection);
}

void FifoReplicas::ask(const std::string& connection) {
  Gathered& gathered = gathered_[connection];
  gathered.asking = true;
  const std::string key = gathered.next.front().key;
  execute_(*client_, key, net::RedisCommand("WAIT", wanted_, replicas_limit.count()),
           [self = shared_from_this(), connection,
            waiters = std::exchange(gathered.next, {})](const net::RedisResult& result) mutable {
             for (Waiter& waiter : waiters) waiter.done(self->failure_of(waiter, result));
             self->ask_again(connection);
           });
}

void FifoReplicas::ask_again(const std::string& connection) {
  const auto gathered = gathered_.find(connection);
  if (gathered->second.next.empty()) {
    gathered_.erase(gathered);
  } else if (client_) {
    ask(connection);
  } else {
    for (Waiter& waiter : std::exchange(gathered->second.next, {})) waiter.done(closed_failure());
  }
}

/// The write was carried out: whatever has become of this, it is to be asked for again, or given back.
std::optional<LockFailure> FifoReplicas::failure_of(const Waiter& waiter, const net::RedisResult& result) const {
  if (!client_) return closed_failure();
  LockFailure failure{LockFailure::Kind::broken, {}};
  if (!result) {
    const LockFailure why = lock_failure(result.error());
    if (why.kind == LockFailure::Kind::closed) return why;
    failure.detail = why.detail;
  } else if (const auto had = static_cast<std::size_t>(result->to_integer().value_or(0)); had < wanted_) {
    failure.detail = std::to_string(had) + " of the " + std::to_string(wanted_) + " replicas have the grant";
  } else if (client_->settled_since(waiter.key) != waiter.settled) {
    failure.detail = "it is not known whether the replicas have the grant: the connection is another";
  } else {
    return {};
  }
  return failure;
}

}  // namespace firstcome::lock
