#include "engine/guarded/redis/redis_caller.hpp"

#include "engine/guarded/inventory.hpp"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::chrono::seconds patience{5};

InventoryFailure failure_of(const net::RedisFailure& failure, RedisCaller::Effect effect) {
  const bool unknown = effect == RedisCaller::Effect::writing && failure.may_have_run();
  return {unknown ? InventoryFailure::Kind::unknown : InventoryFailure::Kind::unavailable,
          fmt::format("Redis: {} {} {}", to_string(failure.kind), failure.code, failure.detail)};
}

}  // namespace

/// What one caller waits for. The last answer sets the promise.
struct RedisCaller::Batch {
  std::vector<net::RedisReply> replies;
  std::optional<net::RedisFailure> failure;  ///< the first
  std::size_t missing = 0;
  std::promise<void> done;

  void take(std::size_t index, net::RedisResult result) {
    if (result) {
      replies[index] = std::move(*result);
    } else if (!failure || (!failure->may_have_run() && result.error().may_have_run())) {
      failure = std::move(result.error());
    }
    if (--missing == 0) done.set_value();
  }
};

RedisCaller::RedisCaller(const net::RedisUrl& url) {
  auto made = net::make_redis_client(loop_.executor(), url);
  if (!made) throw InventoryFailure{InventoryFailure::Kind::unavailable, made.error()};
  client_ = std::move(*made);
  loop_.start();
}

RedisCaller::~RedisCaller() {
  loop_.close([this] { client_.reset(); });
}

std::vector<net::RedisReply> RedisCaller::ask(std::string_view key, std::vector<net::RedisCommand> commands,
                                              Effect effect) {
  const auto batch = std::make_shared<Batch>();  // shared with who sets the promise, which may end after this
  batch->replies.resize(commands.size());
  batch->missing = commands.size();
  std::future<void> done = batch->done.get_future();
  loop_.post([this, key, &commands, batch] {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const std::size_t count = batch->replies.size();
    for (std::size_t i = 0; i < count; ++i) {
      client_->execute(key, std::move(commands[i]), deadline,
                       [batch, i](net::RedisResult result) { batch->take(i, std::move(result)); });
    }
  });
  done.get();
  if (batch->failure) throw failure_of(*batch->failure, effect);
  return std::move(batch->replies);
}

net::RedisReply RedisCaller::ask(std::string_view key, net::RedisCommand command, Effect effect) {
  std::vector<net::RedisCommand> commands;
  commands.push_back(std::move(command));
  return std::move(ask(key, std::move(commands), effect).front());
}

}  // namespace firstcome::engine
