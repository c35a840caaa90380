// The lists of customers whose reservations go to others: they are exact, and a page costs the same wherever it is.
#include "sale/shop.hpp"

#include <array>
#include <chrono>
#include <random>

namespace firstcome::sale {
namespace {

/// Who has which number, told to a shop and kept beside it.
class Desks {
 public:
  explicit Desks(Units stock) : shop(instant_terms(stock)) {}

  void reserve(const std::string& customer) {
    refs_.push_back(shop.has(customer));
    customers_.push_back(customer);
  }
  /// The one that is `back` before the last goes to `customer`.
  void transfer(std::size_t back, const std::string& customer) {
    const std::size_t at = refs_.size() - 1 - back;
    const Outcome outcome = shop.apply(Transfer{refs_[at], customer}).outcome;
    ASSERT_EQ(outcome, customers_[at] == customer ? Outcome::unchanged : Outcome::done);
    customers_[at] = customer;
  }
  std::vector<std::uint64_t> numbers_of(const std::string& customer) const {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < refs_.size(); ++i)
      if (customers_[i] == customer) numbers.push_back(value(refs_[i].number));
    return numbers;
  }
  std::vector<std::uint64_t> listed(const std::string& customer, std::uint32_t limit) {
    std::vector<std::uint64_t> numbers;
    ListReservations page{.sale = "s", .customer = customer, .after = {}, .limit = limit};
    do {
      const ReservationsAnswer answer = shop.apply(page);
      for (const ReservationView& view : answer.items) numbers.push_back(value(view.ref.number));
      page.after = answer.next;
    } while (page.after != Number{});
    return numbers;
  }
  std::size_t count() const { return refs_.size(); }

  Shop shop;

 private:
  std::vector<ReservationRef> refs_;
  std::vector<std::string> customers_;
};

TEST(CustomerChain, IsExactAfterAnyTransfers) {
  std::mt19937_64 random(7);
  const auto below = [&](std::size_t count) { return random() % count; };
  const std::array<std::string, 3> names{"box-office", "desk", "ann"};
  Desks desks(1'000'000);
  for (int step = 0; step < 20'000; ++step) {
    desks.reserve(names[below(100) < 80 ? 0 : below(3)]);
    if (below(3) > 0) desks.transfer(below(std::min<std::size_t>(desks.count(), 300)), names[below(3)]);
    if (step % 5'000 == 4'000) {
      for (const std::string& name : names) ASSERT_EQ(desks.listed(name, 100), desks.numbers_of(name));
      desks.shop.restart();
    }
  }
  for (const std::string& name : names) EXPECT_EQ(desks.listed(name, 999), desks.numbers_of(name));
}

void expect_quick_pages(Desks& desks, const std::string& customer) {
  constexpr std::uint64_t pages = 2'000;
  const std::uint64_t last = desks.count();
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t page = 0; page < pages; ++page) {
    const ListReservations command{.sale = "s", .customer = customer, .after = Number{last * page / pages}, .limit = 1};
    ASSERT_EQ(desks.shop.apply(command).items.size(), 1U);
  }
  // A walk along the whole chain for each would be a thousand times a hundred thousand links.
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s) << customer;
}

TEST(CustomerChain, OfWhoeverGivesAwayManyIsStillListedQuickly) {
  Desks desks(1'000'000);
  for (int i = 1; i <= 300'000; ++i) {
    desks.reserve("box-office");
    if (i % 256 == 0 || i % 5 == 0) desks.transfer(0, "c-" + std::to_string(i % 1'000));
  }
  expect_quick_pages(desks, "box-office");
  EXPECT_EQ(desks.listed("box-office", 1'000), desks.numbers_of("box-office"));
}

TEST(CustomerChain, OfWhoeverGetsManyIsStillListedQuickly) {
  Desks desks(1'000'000);
  for (int round = 0; round < 600; ++round) {
    for (int i = 0; i < 400; ++i) desks.reserve("box-office");
    desks.reserve("desk");  // so that those that it gets come before its last
    for (std::size_t back = 400; back >= 1; --back) desks.transfer(back, "desk");
  }
  desks.reserve("box-office");
  expect_quick_pages(desks, "desk");
  EXPECT_EQ(desks.listed("desk", 1'000), desks.numbers_of("desk"));
}

}  // namespace
}  // namespace firstcome::sale
