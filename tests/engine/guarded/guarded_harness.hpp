// Guarded engines that tests drive: nodes over one inventory, and a crowd that wants more than there is.
#pragma once

#include "engine/asking.hpp"
#include "engine/guarded/guarded_engine.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::test {

/// One node.
class GuardedNode {
 public:
  explicit GuardedNode(engine::GuardedOptions options) {
    auto opened = engine::GuardedEngine::open(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().detail);
    engine_ = std::move(*opened);
  }

  engine::GuardedEngine& engine() { return *engine_; }

  /// Takes turns until it is done.
  void finish(const Asked& asked) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!asked.done) {
      engine_->turn();
      if (!asked.done) std::this_thread::yield();
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("an operation was never completed");
    }
  }

  template <class C>
  std::expected<typename C::Answer, Failure> ask(C command) {
    Asked asked;
    asked.command = std::move(command);
    engine_->submit(asked);
    finish(asked);
    if (!asked.answer) return std::unexpected(asked.answer.error());
    return std::get<typename C::Answer>(std::move(*asked.answer));
  }
  ReserveAnswer reserve(std::string_view customer, Units quantity = 1, KeyHash key = {}) {
    return ask(Reserve{"s", customer, quantity, {}, key}).value();
  }
  AuditAnswer audit() { return ask(AuditSale{"s"}).value(); }
  SaleView sale() { return ask(GetSale{"s"}).value().sale; }

 private:
  std::unique_ptr<engine::GuardedEngine> engine_;
};

/// Nodes a, b, ... over one inventory.
using GuardedNodes = std::vector<std::unique_ptr<GuardedNode>>;
inline GuardedNodes guarded_nodes(std::size_t count, const engine::GuardedOptions& options) {
  GuardedNodes nodes;
  for (std::size_t i = 0; i < count; ++i) {
    engine::GuardedOptions of_node = options;
    of_node.node = std::string(1, static_cast<char>('a' + i));
    nodes.push_back(std::make_unique<GuardedNode>(std::move(of_node)));
  }
  return nodes;
}

/// A sale that sells at once, one each.
inline SaleTerms coupon(Units stock) {
  SaleTerms terms = terms_of("s", stock);
  terms.hold = Milliseconds{0};
  terms.limit_per_customer = 1;
  return terms;
}
/// A sale that charges within the request.
inline SaleTerms charging(Units stock) {
  SaleTerms terms = terms_of("s", stock);
  terms.payment = PaymentMode::automatic;
  return terms;
}

/// Of a gateway.
inline ChargeResult said(ChargeOutcome outcome) {
  ChargeResult result;
  result.outcome = outcome;
  return result;
}

/// What a crowd was told: how often each outcome.
using Told = std::map<Outcome, int>;

/// Customers who all ask at once, turn by turn at one node after the other, and ask again when it is busy. Throws where
/// an answer is a failure.
inline Told crowd(const GuardedNodes& nodes, int customers) {
  struct Customer {
    std::string name;
    GuardedNode* node;
    std::unique_ptr<Asked> asked;
  };
  const auto ask = [](Customer& customer) {
    customer.asked = std::make_unique<Asked>();
    customer.asked->command = Reserve{"s", customer.name, 1, {}, {}};
    customer.node->engine().submit(*customer.asked);
  };
  std::vector<Customer> all(static_cast<std::size_t>(customers));
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].name = "customer-" + std::to_string(i);
    all[i].node = nodes[i % nodes.size()].get();
    ask(all[i]);
  }
  Told told;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  for (std::size_t open = all.size(); open > 0;) {
    for (const auto& node : nodes) node->engine().turn();
    for (Customer& customer : all) {
      if (!customer.asked || !customer.asked->done) continue;
      if (!customer.asked->answer) throw std::runtime_error(customer.asked->answer.error().detail);
      const Outcome outcome = customer.asked->as<ReserveAnswer>().outcome;
      ++told[outcome];
      if (outcome == Outcome::busy) {
        ask(customer);
      } else {
        customer.asked.reset();
        --open;
      }
    }
    std::this_thread::yield();
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("a crowd was never answered");
  }
  return told;
}

/// The first so many who come wait for each other, but for no longer than two seconds; the others pass.
class Meeting {
 public:
  explicit Meeting(int size) : size_(size) {}

  void join() {
    std::unique_lock lock(mutex_);
    if (++here_ > size_) return;
    if (here_ == size_) all_here_.notify_all();
    all_here_.wait_for(lock, std::chrono::seconds{2}, [this] { return here_ >= size_; });
  }

 private:
  const int size_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  int here_ = 0;
};

/// A door that a test opens.
class Door {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Waits, at most a minute.
  void pass() {
    std::unique_lock lock(mutex_);
    ++came_;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::minutes{1}, [this] { return open_; });
  }
  void wait_until_somebody_came(int how_many = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return came_ >= how_many; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int came_ = 0;
};

inline engine::GuardedOptions guarded_over(const testing::RedisServer& server, engine::GuardKind guard) {
  engine::GuardedOptions options;
  options.inventory = engine::parse_inventory_url("redis://" + server.address()).value();
  options.guard = guard;
  return options;
}

}  // namespace firstcome::test
