// What tests of faults share: one sale, what its customers were told, and whether the store agrees with that.
#pragma once

#include "engine/asking.hpp"
#include "engine/redis/redis_harness.hpp"
#include "engine/redis/sale_codec.hpp"
#include "engine/redis/sale_scripts.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::test {

/// What is asked for is five seconds; a loaded machine is given five times that.
constexpr std::chrono::seconds recovery_bound{25};

/// A request of one customer, whose name lives as long.
struct Customer : Asked {
  explicit Customer(std::string given, KeyHash key = {}) : name(std::move(given)) {
    command = Reserve{"s", name, 1, {}, key};
  }
  const std::string name;
};

/// What was said, by customer. Each customer of a test wants one reservation.
struct Told {
  std::map<std::string, std::uint64_t> accepted;  ///< the numbers
  std::set<std::string> unknown;                  ///< told that nobody knows
  std::set<std::string> failed;                   ///< told that nothing was decided
  std::vector<std::string> wrong;                 ///< told what cannot be true

  void add(const std::string& customer, const std::expected<ReserveAnswer, Failure>& answer) {
    if (!answer) {
      (answer.error().code == FailureCode::outcome_unknown ? unknown : failed).insert(customer);
    } else if (answer->outcome == Outcome::done || answer->outcome == Outcome::unchanged) {
      const auto [at, fresh] = accepted.emplace(customer, value(answer->ref.number));
      if (!fresh && at->second != value(answer->ref.number)) wrong.push_back(customer + " was given two numbers");
    } else {
      wrong.push_back(customer + " was answered outcome " + std::to_string(static_cast<int>(answer->outcome)));
    }
  }
  void add(const Customer& customer) {
    if (!customer.answer) return add(customer.name, std::unexpected(customer.answer.error()));
    add(customer.name, customer.as<ReserveAnswer>());
  }
};

/// All reservations of the sale, in number order.
inline std::vector<ReservationView> reservations_of(RedisNode& node) {
  std::vector<ReservationView> all;
  ListReservations page{.sale = "s", .customer = {}, .after = {}, .limit = 500};
  do {
    auto answer = node.ask(page);
    if (!answer) {
      ADD_FAILURE() << answer.error().detail;
      return all;
    }
    page.after = answer->next;
    for (ReservationView& one : answer->items) all.push_back(std::move(one));
  } while (value(page.after) != 0);
  return all;
}

/// Nothing oversold, lost, doubled or made up; numbers without gaps.
inline void expect_true(RedisNode& node, const Told& told, Units stock) {
  for (const std::string& sentence : told.wrong) ADD_FAILURE() << sentence;
  const std::vector<ReservationView> stored = reservations_of(node);
  std::map<std::string, std::uint64_t> numbers;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const ReservationView& one = stored[i];
    EXPECT_EQ(value(one.ref.number), i + 1);
    EXPECT_TRUE(numbers.emplace(one.customer, value(one.ref.number)).second) << one.customer << " has two";
    EXPECT_TRUE(told.accepted.contains(one.customer) || told.unknown.contains(one.customer))
        << one.customer << " has one, and was told otherwise";
  }
  for (const auto& [customer, number] : told.accepted) {
    const auto found = numbers.find(customer);
    ASSERT_NE(found, numbers.end()) << "the answer to " << customer << " was lost";
    EXPECT_EQ(found->second, number) << customer;
  }
  const auto audit = node.ask(AuditSale{"s"});
  ASSERT_TRUE(audit) << audit.error().detail;
  EXPECT_TRUE(audit->ok) << (audit->mismatches.empty() ? "" : audit->mismatches.front());
  EXPECT_EQ(audit->stock, stock);
  EXPECT_EQ(audit->available, stock - static_cast<Units>(stored.size()));
}

inline void create_sale(RedisNode& node, Units stock, Milliseconds hold = Milliseconds{0}) {
  SaleTerms terms = terms_of("s", stock);
  terms.hold = hold;
  const auto created = node.ask(CreateSale{terms});
  ASSERT_TRUE(created) << created.error().detail;
  ASSERT_EQ(created->outcome, Outcome::done);
}

inline double figure_of(RedisNode& node, std::string_view name) {
  for (const engine::EngineFigure& figure : node.engine().figures()) {
    if (figure.name == name) return figure.read();
  }
  throw std::runtime_error("no such figure");
}

/// The arguments of a call of the sale's script as a node makes it, to be sent by hand.
struct HandMadeCall {
  std::string node = "nodeofit";
  std::uint64_t sequence = 1;
  std::string customer = "a";
  std::string incarnation = "any";

  std::vector<std::string> arguments(const testing::RedisServer& server, SaleHandle handle, std::string verb,
                                     std::string script) const {
    const engine::SaleKeys keys(handle);
    return {std::move(verb),
            std::move(script),
            "2",
            keys.hash,
            keys.stream,
            node,
            std::to_string(sequence),
            "0",
            "128",
            "changes",
            server.text({"HGET", "firstcome:sales", "store"}),
            "0",
            incarnation,
            "R",
            customer,
            "1",
            "",
            std::string(16, '\0')};
  }
};

}  // namespace firstcome::test
