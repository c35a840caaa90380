// The names of all FIFO locks on a server, for people who look.
#include "lock/event_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <future>
#include <utility>

namespace firstcome::lock {

namespace {

using net::RedisCommand;
using net::RedisResult;

constexpr std::string_view before = "firstcome:lock:{";
constexpr std::string_view after = "}";

/// One server, asked and waited for.
class Asked {
 public:
  explicit Asked(BootTime deadline) : deadline_(deadline) {}
  ~Asked() {
    loop_.close([this] { client_.reset(); });
  }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  std::expected<void, LockFailure> open(const net::RedisUrl& url) {
    auto made = net::make_redis_client(loop_.executor(), url);
    if (made) client_ = std::move(*made);
    loop_.start();
    if (!made) return std::unexpected(LockFailure{LockFailure::Kind::unavailable, made.error()});
    return {};
  }

  std::expected<net::RedisReply, LockFailure> ask(RedisCommand command) {
    std::promise<RedisResult> promise;
    auto reply = promise.get_future();
    loop_.post([this, &promise, command = std::move(command)]() mutable {
      client_->execute(before, std::move(command), loop_deadline(deadline_),
                       [&promise](RedisResult result) { promise.set_value(std::move(result)); });
    });
    RedisResult result = reply.get();
    if (!result) return std::unexpected(lock_failure(result.error()));
    return std::move(*result);
  }

 private:
  const BootTime deadline_;
  EventLoop loop_;
  std::unique_ptr<net::RedisClient> client_;
};

using Names = std::vector<std::string>;

std::expected<void, LockFailure> scan(const net::RedisUrl& url, BootTime deadline, Names& names) {
  Asked server(deadline);
  if (auto opened = server.open(url); !opened) return opened;
  std::string cursor = "0";
  do {
    const std::string pattern = std::string(before) + "*" + std::string(after);
    auto reply = server.ask(RedisCommand("SCAN", cursor, "MATCH", pattern, "COUNT", 1'000, "TYPE", "hash"));
    if (!reply) return std::unexpected(std::move(reply.error()));
    for (const net::RedisReply& key : reply->at(1).elements) {
      names.push_back(key.text.substr(before.size(), key.text.size() - before.size() - after.size()));
    }
    cursor = reply->at(0).text;
  } while (cursor != "0");
  return {};
}

/// The masters of a cluster, each as a server of its own.
std::expected<std::vector<net::RedisUrl>, LockFailure> masters(const net::RedisUrl& url, BootTime deadline) {
  Asked cluster(deadline);
  if (auto opened = cluster.open(url); !opened) return std::unexpected(std::move(opened.error()));
  auto reply = cluster.ask(RedisCommand("CLUSTER", "SLOTS"));
  if (!reply) return std::unexpected(std::move(reply.error()));
  std::vector<net::RedisAddress> addresses;
  for (const net::RedisReply& range : reply->elements) {
    addresses.push_back({range.at(2).at(0).text, static_cast<std::uint16_t>(range.at(2).at(1).integer)});
  }
  std::ranges::sort(addresses);
  const auto repeated = std::ranges::unique(addresses);
  addresses.erase(repeated.begin(), repeated.end());
  std::vector<net::RedisUrl> servers;
  for (const net::RedisAddress& address : addresses) {
    net::RedisUrl server = url;
    server.topology = net::RedisUrl::Topology::single;
    server.hosts = {address};
    servers.push_back(std::move(server));
  }
  return servers;
}

}  // namespace

std::expected<Names, LockFailure> list_fifo_locks(const net::RedisUrl& url, Milliseconds limit) {
  const BootTime deadline = BootClock::now() + limit;
  std::vector<net::RedisUrl> servers{url};
  if (url.topology == net::RedisUrl::Topology::cluster) {
    auto found = masters(url, deadline);
    if (!found) return std::unexpected(std::move(found.error()));
    servers = std::move(*found);
  }
  Names names;
  for (const net::RedisUrl& server : servers) {
    if (auto scanned = scan(server, deadline, names); !scanned) return std::unexpected(std::move(scanned.error()));
  }
  // SCAN may show a key twice.
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

}  // namespace firstcome::lock
