// How a store is asked whether it still knows what somebody was told.
#include "events/checked_sink.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::events {
namespace {

constexpr engine::StoreSecret secret{1, 2, 3};

/// Keeps what it is asked, and knows everything where it is told nothing else.
class AskedEngine final : public Engine {
 public:
  using Said = std::expected<Outcome, Failure>;

  void submit(Operation& operation) override {
    asked.push_back(std::get<ComparePast>(operation.command));
    Said said = Outcome::unchanged;
    if (!to_say.empty()) {
      said = to_say.front();
      to_say.pop_front();
    }
    answering = std::jthread([&operation, said] {  // never before this returns
      if (said) {
        LossesAnswer answer;
        answer.outcome = *said;
        operation.answer = Answer{std::move(answer)};
      } else {
        operation.answer = std::unexpected(said.error());
      }
      operation.completed();
    });
  }
  Readiness readiness() const override { return {}; }
  std::string_view name() const override { return "asked"; }
  void on_payment_work(std::function<void()>) override {}

  std::vector<ComparePast> asked;
  std::deque<Said> to_say;
  std::jthread answering;
};

/// Of so many sales, the last first.
std::vector<Told> told_of(std::uint64_t sales) {
  engine::ReservationIds ids(secret);
  std::vector<Told> all;
  for (std::uint64_t handle = sales; handle > 0; --handle) {
    const auto id = ids.encode({SaleHandle{handle}, Number{1}});
    all.push_back({.sale = fmt::format("sale-{}", handle),
                   .handle = SaleHandle{handle},
                   .incarnation = no_incarnation,
                   .reservation = {id.begin(), id.end()},
                   .number = 1,
                   .sequence = 2});
  }
  return all;
}

TEST(PastCheck, AsksSoMuchAtOnceAndNoMore) {
  AskedEngine engine;
  Witness witness{.name = "the orders", .ask = [](const std::stop_token&) { return told_of(2'500); }};
  PastCheck check(engine, engine::ReservationIds(secret), std::move(witness));
  const auto found = check.run({});
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, PastCheck::Found::nothing);
  std::vector<std::size_t> sizes;
  std::vector<SaleHandle> sales;
  for (const ComparePast& asked : engine.asked) {
    sizes.push_back(asked.memories.size());
    for (const Memory& memory : asked.memories) sales.push_back(memory.sale);
  }
  EXPECT_EQ(sizes, (std::vector{memories_at_once, memories_at_once, std::size_t{500}}));
  EXPECT_EQ(sales.size(), 2'500U);
  EXPECT_TRUE(std::ranges::is_sorted(sales));
}

/// Counts what is delivered.
class CountingSink final : public EventSink {
 public:
  explicit CountingSink(int& deliveries) : deliveries_(deliveries) {}
  std::expected<void, std::string> deliver(std::span<const Event>, std::span<const StockLevel>,
                                           const std::stop_token&) override {
    ++deliveries_;
    return {};
  }

 private:
  int& deliveries_;
};

struct Checked {
  explicit Checked(Witness witness)
      : sink(std::make_unique<CountingSink>(deliveries),
             std::make_unique<PastCheck>(engine, engine::ReservationIds(secret), std::move(witness))) {}
  bool deliver() { return sink.deliver({}, {}, {}).has_value(); }

  AskedEngine engine;
  int deliveries = 0;
  CheckedSink sink;
};

TEST(CheckedSink, HasEventsReadAgainWhereALossIsFoundThoughTheStoreCannotSayTheRest) {
  for (const auto need : {Witness::Need::needed, Witness::Need::wanted}) {
    Checked checked({.name = "the orders", .ask = [](const std::stop_token&) { return told_of(1'001); }, .need = need});
    checked.engine.to_say = {Outcome::done, std::unexpected(Failure{FailureCode::store_unavailable, "away"})};
    EXPECT_FALSE(checked.deliver()) << "they were read before the loss was found";
    EXPECT_EQ(checked.deliveries, 0);
    EXPECT_TRUE(checked.deliver());
    EXPECT_EQ(checked.deliveries, 1);
  }
}

TEST(CheckedSink, GoesOnWithoutAWitnessThatIsOnlyWanted) {
  const auto away = [](const std::stop_token&) { return std::unexpected(std::string("away")); };
  Checked needed({.name = "the orders", .ask = away});
  EXPECT_FALSE(needed.deliver());
  EXPECT_EQ(needed.deliveries, 0);
  Checked wanted({.name = "the orders", .ask = away, .need = Witness::Need::wanted});
  EXPECT_TRUE(wanted.deliver());
  EXPECT_EQ(wanted.deliveries, 1);
}

}  // namespace
}  // namespace firstcome::events
