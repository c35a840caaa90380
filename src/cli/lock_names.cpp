#include "cli/lock_names.hpp"

#include "net/redis/client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <set>

namespace firstcome::cli {
namespace {

using Names = std::expected<std::vector<std::string>, std::string>;

constexpr std::string_view prefix = "firstcome:lock:{";

net::RedisCommand scan_from(const std::string& cursor) {
  return net::RedisCommand("SCAN", cursor, "MATCH", "firstcome:lock:{*}", "COUNT", 1000, "TYPE", "hash");
}

net::Task<Names> scan(net::RedisClient& client, Milliseconds patience) {
  std::set<std::string> names;  // SCAN may name a key twice
  std::string cursor = "0";
  do {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    net::RedisCommand command = scan_from(cursor);
    const net::RedisResult page = co_await client.execute("", std::move(command), deadline);
    if (!page) co_return std::unexpected(page.error().detail);
    cursor = page->at(0).text;
    for (const net::RedisReply& key : page->at(1).elements) {
      const std::string_view text = key.text;
      names.emplace(text.substr(prefix.size(), text.size() - prefix.size() - 1));
    }
  } while (cursor != "0");
  co_return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

Names lock_names(std::string_view url, Milliseconds patience) {
  const auto parsed = net::parse_redis_url(url);
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->topology == net::RedisUrl::Topology::cluster)
    return std::unexpected("a cluster's locks cannot be listed; name one of its servers as redis://HOST:PORT");
  boost::asio::io_context io(1);
  auto client = net::make_redis_client(io.get_executor(), *parsed);
  if (!client) return std::unexpected(client.error());
  Names names;
  boost::asio::co_spawn(io.get_executor(), scan(**client, patience), [&](std::exception_ptr, Names found) {
    names = std::move(found);
    client->reset();
    io.stop();
  });
  io.run();
  return names;
}

}  // namespace firstcome::cli
