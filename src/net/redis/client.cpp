#include "net/redis/client.hpp"

#include "net/redis/cluster_client.hpp"
#include "net/redis/single_client.hpp"
#include "net/redis/tls.hpp"
#include "net/redis/waiter.hpp"

#include <utility>

namespace firstcome::net {

Task<RedisResult> RedisClient::execute(std::string key, RedisCommand command,
                                       std::chrono::steady_clock::time_point deadline) {
  const IoExecutor executor = co_await boost::asio::this_coro::executor;
  auto waiter = std::make_shared<RedisWaiter<RedisResult>>(executor);
  RedisDone done = [waiter](RedisResult result) { waiter->set(std::move(result)); };
  execute(key, std::move(command), deadline, std::move(done));
  co_return co_await wait_for(waiter);
}

std::expected<std::unique_ptr<RedisClient>, std::string> make_redis_client(IoExecutor executor, const RedisUrl& url,
                                                                           RedisClientEvents events,
                                                                           RedisOptions options) {
  if (url.transport == RedisTransport::tls) {
    if (const auto context = RedisTlsContext::make(options.tls.with(url.tls)); !context)
      return std::unexpected(context.error());
  }
  switch (url.topology) {
    case RedisUrl::Topology::single:
      return make_redis_client(executor, url.endpoint(url.hosts.front()), std::move(events), options);
    case RedisUrl::Topology::sentinel:
      return std::make_unique<RedisSingleClient>(executor, url, std::move(events), options);
    case RedisUrl::Topology::cluster:
      return std::make_unique<RedisClusterClient>(executor, url, std::move(events), options);
    case RedisUrl::Topology::redlock:
      break;
  }
  return std::unexpected("redlock:// names several independent servers, which are not one client");
}

std::unique_ptr<RedisClient> make_redis_client(IoExecutor executor, const RedisEndpoint& endpoint,
                                               RedisClientEvents events, RedisOptions options) {
  return std::make_unique<RedisSingleClient>(executor, endpoint, std::move(events), options);
}

}  // namespace firstcome::net
