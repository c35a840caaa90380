#include "support/redis_server.hpp"

#include <stdexcept>

namespace firstcome::testing {

RedisSentinels::RedisSentinels(std::string password, std::optional<RedisTlsFiles> tls) {
  std::vector<std::string> lines;
  if (!password.empty()) lines.push_back("masterauth " + password);
  servers_.push_back(
      std::make_unique<RedisServer>(RedisServerOptions{.password = password, .lines = lines, .tls = tls}));
  const std::string master = std::to_string(first().public_port());
  lines.push_back("replicaof 127.0.0.1 " + master);
  servers_.push_back(
      std::make_unique<RedisServer>(RedisServerOptions{.password = password, .lines = lines, .tls = tls}));
  const std::string name = master_name;
  std::vector<std::string> watch{"sentinel monitor " + name + " 127.0.0.1 " + master + " 2",
                                 "sentinel down-after-milliseconds " + name + " 500",
                                 "sentinel failover-timeout " + name + " 3000"};
  if (!password.empty()) watch.push_back("sentinel auth-pass " + name + " " + password);
  for (int i = 0; i < 3; ++i) {
    sentinels_.push_back(
        std::make_unique<RedisServer>(RedisServerOptions{.lines = watch, .arguments = {"--sentinel"}, .tls = tls}));
  }
  // Each must know the replica and the others, or a failover cannot be decided.
  for (const auto& one : sentinels_) {
    const bool knows = eventually([&] {
      const RedisAnswer about = one->command({"SENTINEL", "MASTER", name});
      bool replica = false;
      bool others = false;
      for (std::size_t i = 0; i + 1 < about.elements.size(); i += 2) {
        if (about.elements[i].text == "num-slaves") replica = about.elements[i + 1].text == "1";
        if (about.elements[i].text == "num-other-sentinels") others = about.elements[i + 1].text == "2";
      }
      return replica && others;
    });
    if (!knows) throw std::runtime_error("the sentinels do not find each other:\n" + one->log());
  }
  if (!eventually([this] { return second().info("master_link_status") == "up"; })) {
    throw std::runtime_error("the replica does not follow:\n" + second().log());
  }
}

std::string RedisSentinels::addresses() const {
  std::string all;
  for (const auto& one : sentinels_) {
    all += (all.empty() ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(one->public_port());
  }
  return all;
}

std::uint16_t RedisSentinels::master_port() const {
  for (const auto& one : sentinels_) {
    if (!one->is_running()) continue;
    const RedisAnswer address = one->command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name});
    if (address.elements.size() == 2) return static_cast<std::uint16_t>(std::stoi(address.elements[1].text));
  }
  return 0;
}

}  // namespace firstcome::testing
