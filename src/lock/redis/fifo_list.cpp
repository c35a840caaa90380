// The names of all FIFO locks, read-write locks and semaphores on a server, for people who look.
#include "lock/event_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_scripts.hpp"
#include "lock/redis/redis_failure.hpp"
#include "net/redis/slots.hpp"

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

net::RedisUrl one_server(const net::RedisUrl& url, const net::RedisAddress& address) {
  net::RedisUrl server = url;
  server.topology = net::RedisUrl::Topology::single;
  server.hosts = {address};
  return server;
}

/// Who has which slot, as the first of the named nodes says that answers.
std::expected<net::RedisSlotMap, LockFailure> slots_of(const net::RedisUrl& url, BootTime deadline) {
  LockFailure failure{LockFailure::Kind::unavailable, "no node of the cluster is named"};
  auto left = static_cast<BootClock::rep>(url.hosts.size());
  for (const net::RedisAddress& address : url.hosts) {
    const BootTime now = BootClock::now();
    Asked node(now + (deadline - now) / left--);
    auto opened = node.open(one_server(url, address));
    if (!opened) return std::unexpected(std::move(opened.error()));
    auto reply = node.ask(RedisCommand("CLUSTER", "SLOTS"));
    if (!reply) {
      failure = std::move(reply.error());
      continue;
    }
    auto map = net::RedisSlotMap::read(*reply, address);  // a node that does not know its name is where it was asked
    if (map) return std::move(*map);
    failure.detail = std::move(map.error());
  }
  return std::unexpected(std::move(failure));
}

/// The masters of a cluster, each as a server of its own.
std::expected<std::vector<net::RedisUrl>, LockFailure> masters(const net::RedisUrl& url, BootTime deadline) {
  const auto map = slots_of(url, deadline);
  if (!map) return std::unexpected(map.error());
  std::vector<net::RedisUrl> servers;
  for (const net::RedisAddress& address : map->masters()) servers.push_back(one_server(url, address));
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
