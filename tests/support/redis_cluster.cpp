#include "support/redis_server.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace firstcome::testing {

namespace {

constexpr std::size_t masters = 3;
constexpr unsigned slots = 16'384;

void must(const RedisAnswer& answer) {
  if (answer.text.starts_with('-')) throw std::runtime_error("the cluster refuses: " + answer.text);
}

std::string field(const std::string& info, const std::string& name) {
  std::istringstream lines(info);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1, line.find('\r') - name.size() - 1);
  }
  return {};
}

struct RedisClusterPorts {
  std::string id;
  std::uint16_t clients;  ///< the public ones
  std::uint16_t bus;
};

/// What each node remembers of the cluster, as if it had been part of it before: quicker than to let them meet.
std::string remembered(const std::vector<RedisClusterPorts>& ports, std::size_t myself) {
  std::ostringstream lines;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const bool master = i < masters;
    lines << ports[i].id << " 127.0.0.1:" << ports[i].clients << '@' << ports[i].bus << ' '
          << (i == myself ? "myself," : "") << (master ? "master -" : "slave " + ports[i - masters].id) << " 0 0 "
          << i % masters + 1 << " connected";
    if (master) lines << ' ' << slots * i / masters << '-' << slots * (i + 1) / masters - 1;
    lines << '\n';
  }
  lines << "vars currentEpoch " << masters << " lastVoteEpoch 0\n";
  return lines.str();
}

}  // namespace

RedisCluster::RedisCluster(const std::optional<RedisTlsFiles>& tls) {
  std::vector<RedisClusterPorts> ports;
  for (char i = 0; i < static_cast<char>(2 * masters); ++i) {
    ports.push_back({.id = std::string(40, static_cast<char>('a' + i)), .clients = free_port(), .bus = free_port()});
    ids_.push_back(ports.back().id);
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::vector<std::string> lines{"cluster-enabled yes",
                                         "cluster-config-file nodes.conf",
                                         "cluster-node-timeout 1000",
                                         "cluster-replica-validity-factor 0",
                                         "cluster-allow-replica-migration no",
                                         std::string("tls-cluster ") + (tls ? "yes" : "no"),
                                         "cluster-port " + std::to_string(ports[i].bus)};
    RedisServerOptions options{.lines = lines, .files = {{"nodes.conf", remembered(ports, i)}}, .tls = tls};
    (tls ? options.tls_port : options.port) = ports[i].clients;
    nodes_.push_back(std::make_unique<RedisServer>(std::move(options)));
  }
  const auto all = [this](const auto& holds) { return std::ranges::all_of(nodes_, holds); };
  const bool ready = eventually(
      [&] {
        return all([&](const auto& one) {
          const bool follows = one->info("role") == "master" || one->info("master_link_status") == "up";
          const std::size_t known = one->command({"CLUSTER", "SLOTS"}).elements.size();
          return follows && known == masters && field(one->text({"CLUSTER", "INFO"}), "cluster_state") == "ok";
        });
      },
      std::chrono::minutes{1});
  if (!ready) throw std::runtime_error("the cluster does not become ready:\n" + node(0).log());
}

std::string RedisCluster::addresses() const {
  std::string all;
  for (const auto& one : nodes_) {
    all += (all.empty() ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(one->public_port());
  }
  return all;
}

RedisServer& RedisCluster::owner_of(unsigned slot) {
  for (const auto& one : nodes_) {
    if (!one->is_running()) continue;
    for (const RedisAnswer& range : one->command({"CLUSTER", "SLOTS"}).elements) {
      if (std::stoul(range.elements[0].text) > slot || std::stoul(range.elements[1].text) < slot) continue;
      const std::string port = range.elements[2].elements[1].text;
      const auto found = std::ranges::find_if(nodes_, [&port](const auto& each) {
        return each->port_text() == port || std::to_string(each->public_port()) == port;
      });
      if (found != nodes_.end()) return **found;
    }
  }
  throw std::runtime_error("nobody has slot " + std::to_string(slot));
}

const std::string& RedisCluster::id_of(const RedisServer& node) const {
  const auto found = std::ranges::find(nodes_, &node, [](const auto& each) { return each.get(); });
  return ids_.at(static_cast<std::size_t>(found - nodes_.begin()));
}

void RedisCluster::begin_move(unsigned slot, RedisServer& source, RedisServer& target) {
  must(target.command({"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id_of(source)}));
  must(source.command({"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id_of(target)}));
}

void RedisCluster::move_keys(unsigned slot, RedisServer& source, RedisServer& target) {
  for (;;) {
    const RedisAnswer keys = source.command({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "100"});
    if (keys.elements.empty()) return;
    std::vector<std::string> migrate{"MIGRATE", "127.0.0.1", target.port_text(), "", "0", "5000", "KEYS"};
    for (const RedisAnswer& key : keys.elements) migrate.push_back(key.text);
    must(source.command(migrate));
  }
}

void RedisCluster::finish_move(unsigned slot, RedisServer& source, RedisServer& target) {
  move_keys(slot, source, target);
  const std::vector<std::string> told{"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id_of(target)};
  must(target.command(told));
  must(source.command(told));
  for (const auto& one : nodes_) {
    const bool other = one.get() != &source && one.get() != &target;
    if (other && one->is_running() && one->info("role") == "master") must(one->command(told));
  }
}

}  // namespace firstcome::testing
