// Two nodes, and everybody who wants to buy from them at once.
#pragma once

#include "engine/guarded/sql/sql_inventories.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::engine {

constexpr int threads_of_a_node = 16;
constexpr int customers = 64;
constexpr Units stock = 20;

class CrowdAtEachInventory : public OnEachInventory {
 protected:
  struct Crowd {
    std::array<std::atomic<int>, 256> answers{};
    std::mutex mutex;
    std::vector<std::string> failures;

    int of(Outcome outcome) const { return answers[static_cast<std::size_t>(outcome)]; }
  };

  /// Every customer asks both nodes, at once with everybody else. `threads_each`: of a node, with a session each.
  void sell_to_all(std::array<TestNode*, 2> nodes, const SaleView& sale, Crowd& crowd, int threads_each) {
    std::array<std::atomic<int>, 2> next{};
    std::barrier together(2 * threads_each);
    std::vector<std::unique_ptr<InventorySession>> sessions;
    for (int i = 0; i < 2 * threads_each; ++i) sessions.push_back(nodes[std::size_t(i) % 2]->open());
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      threads.emplace_back([&, i] {
        together.arrive_and_wait();
        for (int customer = next[i % 2]++; customer < customers; customer = next[i % 2]++) {
          try {
            const Sold sold = sessions[i]->sell(purchase(sale, fmt::format("c-{}", customer)));
            ++crowd.answers[static_cast<std::size_t>(sold.outcome)];
          } catch (const InventoryFailure& failure) {
            const std::lock_guard lock(crowd.mutex);
            crowd.failures.push_back(failure.sentence);
          }
        }
      });
    }
  }

  void expect_exact(InventorySession& session, const SaleTerms& sold, const Crowd& crowd) {
    EXPECT_THAT(crowd.failures, ::testing::IsEmpty());
    EXPECT_EQ(crowd.of(Outcome::busy), 0);
    const SaleView after = session.sale(sold.id).value();
    const auto orders = session.orders(after.handle, {}, Number{}, 1'000);
    EXPECT_EQ(orders.size(), static_cast<std::size_t>(crowd.of(Outcome::done))) << "lost, or told of and not there";
    EXPECT_LE(after.sold, stock) << "oversold";
    EXPECT_EQ(after.available + after.sold, stock);
    EXPECT_EQ(after.held, 0);
    std::set<std::string> once;
    for (const OrderRow& order : orders)
      EXPECT_TRUE(once.insert(order.customer).second) << order.customer << " has two";
  }
};

}  // namespace firstcome::engine
