// Several `firstcome serve` on one Redis, and crowds that are let loose on them.
#pragma once

#include "rush/report.hpp"
#include "rush/rush.hpp"
#include "support/blocking_client.hpp"
#include "support/redis_server.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::testing {

/// Make and end them on the test's main thread: a node dies with the thread that started it.
class Nodes {
 public:
  Nodes(std::size_t count, const std::string& url, const std::vector<std::string>& more = {}) {
    for (std::size_t i = 0; i < count; ++i) add(url, more);
  }
  void add(const std::string& url, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"--engine", url};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const std::string name = "node-" + std::to_string(nodes_.size());
    nodes_.push_back(std::make_unique<ServerProcess>(folder_.path() / name, std::move(arguments)));
  }

  ServerProcess& operator[](std::size_t index) { return *nodes_.at(index); }
  /// SIGKILL.
  void kill(std::size_t index) { nodes_.at(index)->process().kill(); }

  std::vector<net::HttpOrigin> targets() const {
    std::vector<net::HttpOrigin> targets;
    for (const auto& node : nodes_) targets.push_back({"127.0.0.1", node->port()});
    return targets;
  }
  std::string logs() const {
    std::string all;
    for (const auto& node : nodes_) all += node->log() + "---\n";
    return all;
  }

 private:
  TemporaryFolder folder_;
  std::vector<std::unique_ptr<ServerProcess>> nodes_;
};

inline void create_sale(std::uint16_t port, const std::string& body) {
  BlockingClient client(port);
  const auto answer = client.request("POST", "/v1/sales", body);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 201U) << answer->body;
}

/// As many customers as `customers` on the sale `tee`.
inline rush::RushOptions crowd_for(const Nodes& nodes, std::uint32_t customers) {
  rush::RushOptions options;
  options.targets = nodes.targets();
  options.sale = "tee";
  options.customers = customers;
  options.max_lag = std::chrono::seconds{30};  // others may have the cores: it is not the speed that is judged here
  options.patience = std::chrono::seconds{60};
  return options;
}

/// Lets it loose, and calls `meanwhile` about fifty times a second on this thread. Fails the test where it cannot be
/// judged.
inline rush::RushResult rushed(const rush::RushOptions& options,
                               const std::function<void(const rush::CrowdFigures&)>& meanwhile = {}) {
  const auto progress = [&meanwhile](const rush::Progress& now) {
    if (meanwhile && now.phase == rush::Progress::Phase::rushing) meanwhile(*now.figures);
  };
  auto result = rush::run_rush(options, progress, std::chrono::milliseconds{20});
  EXPECT_TRUE(result.has_value()) << result.error().detail;
  if (!result) return {};
  EXPECT_FALSE(result->figures.sent_home) << "some were never told how it ended\n" << rush::report(*result);
  return std::move(*result);
}

/// Its customers noticed nothing: all was answered, and nothing with a status of 500 or more.
inline void expect_undisturbed(const rush::RushResult& result, std::size_t target) {
  const rush::TargetFigures& figures = result.figures.targets.at(target);
  EXPECT_GT(figures.requests, 0U) << "nobody came to node " << target << ": the test has no power";
  EXPECT_EQ(figures.unanswered, 0U) << "node " << target;
  EXPECT_EQ(figures.failed, 0U) << "node " << target;
}

}  // namespace firstcome::testing
