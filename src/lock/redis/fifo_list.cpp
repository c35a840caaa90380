// The names of all FIFO locks, read-write locks and semaphores on a server, for people who look.
#include "lock/event_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_scripts.hpp"
#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace firstcome::lock {

namespace {

using net::RedisCommand;
using net::RedisResult;

/// Keys of all three kinds match it, and those of other programs hardly.
constexpr std::string_view pattern = "firstcome:*{*}";

/// Returns what the key of a hash stands for; nothing: for no lock.
std::optional<ShareName> name_of(std::string_view key) {
  for (const Share::Of of : {Share::Of::lock, Share::Of::read_write, Share::Of::semaphore}) {
    const std::string before = std::string(fifo_key_prefix(of)) + "{";
    if (!key.starts_with(before) || !key.ends_with('}')) continue;
    return ShareName{of, std::string(key.substr(before.size(), key.size() - before.size() - 1))};
  }
  return std::nullopt;
}

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
      client_->execute(pattern, std::move(command), loop_deadline(deadline_),
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

using Names = std::vector<ShareName>;

std::expected<void, LockFailure> scan(const net::RedisUrl& url, BootTime deadline, Names& names) {
  Asked server(deadline);
  if (auto opened = server.open(url); !opened) return opened;
  std::string cursor = "0";
  do {
    auto reply = server.ask(RedisCommand("SCAN", cursor, "MATCH", pattern, "COUNT", 1'000, "TYPE", "hash"));
    if (!reply) return std::unexpected(std::move(reply.error()));
    for (const net::RedisReply& key : reply->at(1).elements) {
      if (auto name = name_of(key.text)) names.push_back(std::move(*name));
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
  std::ranges::sort(names, {}, [](const ShareName& name) { return std::tie(name.of, name.name); });
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

}  // namespace firstcome::lock
