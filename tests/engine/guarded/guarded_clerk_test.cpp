// What nobody asks for: holds that end by themselves.
#include "engine/guarded/guarded_clerk.hpp"

#include "engine/asking.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>

namespace firstcome::test {
namespace {

using namespace engine;

constexpr std::uint64_t sales_there_are = 8;

/// Sales 1 to 8, each with one hold that has ended; the guard of every second sale cannot be had.
class BusySession final : public InventorySession {
 public:
  explicit BusySession(std::set<std::uint64_t>& its_ended) : ended_(its_ended) {}

  StoreSecret open() override { return {}; }
  SaleAnswer create(const SaleTerms&) override { return {}; }
  std::optional<SaleView> sale(const std::string&) override { return std::nullopt; }
  std::vector<SaleView> sales(const std::string& after, std::uint32_t) override {
    std::vector<SaleView> all;
    for (std::uint64_t i = 1; after.empty() && i <= sales_there_are; ++i) {
      SaleView& view = all.emplace_back();
      view.handle = SaleHandle{i};
      view.terms = terms_of("sale-" + std::to_string(i), 1);
      view.terms.hold = Milliseconds{1};
    }
    return all;
  }
  std::vector<OrderRow> orders(SaleHandle, const std::optional<std::string>&, Number, std::uint32_t) override {
    return {};
  }
  std::optional<OrderRow> order(ReservationRef) override { return std::nullopt; }
  Sold sell(const Purchase&) override { return {}; }
  void keep_commit_times(std::span<const CommitTime>) override {}
  bool mark_paid(const Purchase&, Number, const Payment&) override { return false; }
  bool end_hold(const Purchase& held, Number, After) override {
    if (value(held.sale) % 2 == 0)
      throw InventoryFailure{InventoryFailure::Kind::unknown, "the guard is not to be had"};
    ended_.insert(value(held.sale));
    return true;
  }
  std::vector<OrderRow> unpaid(SaleHandle, Instant) override {
    OrderRow order;
    order.number = Number{1};
    order.customer = "ann";
    order.paid = false;
    return {order};
  }

 private:
  std::set<std::uint64_t>& ended_;
};

TEST(GuardedClerk, EndsTheHoldsOfSalesWhoseGuardIsFreeThoughThatOfOthersIsNot) {
  std::set<std::uint64_t> ended;
  const GuardedOptions options;
  GuardWaits waits;
  KnownSales sales;
  GuardedClerk clerk(std::make_unique<BusySession>(ended), {.options = options, .waits = waits}, sales);
  clerk.take_care();
  EXPECT_EQ(ended, (std::set<std::uint64_t>{1, 3, 5, 7}));
}

}  // namespace
}  // namespace firstcome::test
