#include "lock/redis/redis_clients.hpp"

#include "lock/event_loop.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

constexpr std::chrono::milliseconds close_limit{250};  // for releases that leave with the space

}  // namespace

net::RedisClient& RedisClients::add(std::unique_ptr<net::RedisClient> client) {
  return *clients_.emplace_back(std::move(client));
}

void RedisClients::execute(std::size_t index, std::string_view key, net::RedisCommand command, BootTime deadline,
                           net::RedisDone done) {
  if (closed_) {
    return done(std::unexpected(net::RedisFailure{.code = "closed", .detail = closed_failure().detail}));
  }
  ++under_way_;
  clients_[index]->execute(key, std::move(command), loop_deadline(deadline),
                           [this, done = std::move(done)](net::RedisResult result) mutable {
                             --under_way_;
                             done(std::move(result));
                             if (closing_ && under_way_ == 0) shut();
                           });
}

void RedisClients::close() {
  closing_.emplace(executor_, close_limit);
  closing_->async_wait([this](boost::system::error_code) { shut(); });
  if (under_way_ == 0) shut();
}

void RedisClients::shut() {
  closed_ = true;
  closing_->cancel();
  clients_.clear();
}

}  // namespace firstcome::lock
