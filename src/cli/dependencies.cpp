#include "cli/dependencies.hpp"

#include "cli/exit_code.hpp"
#include "engine/sql/sql_failure.hpp"
#include "engine/sql/sql_session.hpp"
#include "lock/event_loop.hpp"
#include "net/kafka/reach.hpp"
#include "net/redis/client.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <utility>

namespace firstcome::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Reached = std::expected<void, Unreached>;

constexpr milliseconds one_attempt{1'000};
constexpr milliseconds pause_between{200};

Reached try_database(const engine::DatabaseUrl& url, milliseconds limit) {
  engine::SqlSessionOptions options;
  options.database = url;
  options.connect_timeout = Milliseconds{limit};
  try {
    engine::SqlSession session(options);
    return {};
  } catch (const engine::SqlFailure& failure) {
    const bool refused = failure.kind == engine::SqlTrouble::credentials;
    return std::unexpected(Unreached{refused ? Unreached::Why::refused : Unreached::Why::away, failure.sentence});
  }
}

Reached try_kafka(const net::KafkaUrl& url, milliseconds limit) {
  auto reached = net::reach_kafka(url, limit);
  if (reached) return {};
  const auto why = reached.error().is_refused ? Unreached::Why::refused : Unreached::Why::away;
  return std::unexpected(Unreached{why, std::move(reached.error().sentence)});
}

/// Whether it is who we are that the server does not like.
bool is_refusal(const net::RedisFailure& failure) {
  return failure.is_denied() || failure.code == "NOAUTH" || failure.code == "NOPERM" || failure.code == "WRONGPASS";
}

Reached try_redis(const net::RedisUrl& url, const net::RedisOptions& options, milliseconds limit) {
  lock::EventLoop loop;
  auto client = net::make_redis_client(loop.executor(), url, {}, options);
  loop.start();
  std::promise<net::RedisResult> promise;
  if (client) {
    loop.post([&] {
      (*client)->execute("firstcome", net::RedisCommand("PING"), Clock::now() + limit,
                         [&promise](net::RedisResult result) { promise.set_value(std::move(result)); });
    });
  }
  std::optional<net::RedisResult> result;
  if (client) result = promise.get_future().get();
  loop.close([&client] {
    if (client) client->reset();
  });
  if (!client) return std::unexpected(Unreached{Unreached::Why::refused, client.error()});
  if (*result) return {};
  const auto why = is_refusal(result->error()) ? Unreached::Why::refused : Unreached::Why::away;
  return std::unexpected(Unreached{why, result->error().detail});
}

int refused(const Dependency& dependency, const std::string& sentence) {
  spdlog::error("{} refuses this user or password: {}", dependency.name, sentence);
  return exit_unavailable;
}

int try_once(const Dependency& dependency) {
  const Reached reached = dependency.reach(one_attempt);
  if (reached || reached.error().why == Unreached::Why::away) return exit_fine;
  return refused(dependency, reached.error().sentence);
}

int await(const Dependency& dependency, Clock::time_point deadline) {
  bool is_told = false;
  for (;;) {
    const Reached reached = dependency.reach(one_attempt);
    if (reached) return exit_fine;
    const Unreached& unreached = reached.error();
    if (unreached.why == Unreached::Why::refused) return refused(dependency, unreached.sentence);
    if (Clock::now() >= deadline) {
      spdlog::error("{} was not reached within --wait-for: {}", dependency.name, unreached.sentence);
      return exit_unavailable;
    }
    if (!std::exchange(is_told, true)) spdlog::info("waiting for {}: {}", dependency.name, unreached.sentence);
    ::poll(nullptr, 0, static_cast<int>(pause_between.count()));
  }
}

}  // namespace

Dependency kafka_dependency(const net::KafkaUrl& url) {
  return {net::to_string(url), [url](milliseconds limit) { return try_kafka(url, limit); }};
}

Dependency database_dependency(const engine::DatabaseUrl& url) {
  return {"the database " + url.text(), [url](milliseconds limit) { return try_database(url, limit); }};
}

Dependency redis_dependency(const net::RedisUrl& url, const net::RedisOptions& options) {
  return {"Redis " + net::to_string(url.hosts.front()),
          [url, options](milliseconds limit) { return try_redis(url, options, limit); }};
}

int await_dependencies(const std::vector<Dependency>& dependencies, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  for (const Dependency& dependency : dependencies) {
    const int code = limit.count() == 0 ? try_once(dependency) : await(dependency, deadline);
    if (code != exit_fine) return code;
  }
  return exit_fine;
}

}  // namespace firstcome::cli
