// An engine that lets closed sales go, and a ledger that never does, answer the same.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/random_api.hpp"
#include "sale/ledger.hpp"
#include "support/rounds.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

std::string said(const ReservationAnswer& answer) {
  return fmt::format("{} {} {}", static_cast<int>(answer.outcome), answer.left, text_of(answer.reservation));
}
std::string said(const ReserveAnswer& answer) {
  return fmt::format("{} {}/{} {} {} {} {} {} {} {} {}", static_cast<int>(answer.outcome), value(answer.ref.sale),
                     value(answer.ref.number), static_cast<int>(answer.state), ms(answer.created_at), answer.position,
                     answer.hold.count(), answer.amount, answer.left, answer.retry_after.count(),
                     answer.replayed_refusal);
}
std::string said(const SaleAnswer& answer) {
  return fmt::format("{} {}", static_cast<int>(answer.outcome), text_of(answer.sale));
}
template <class List>
  requires requires(const List& list) { list.items; }
std::string said(const List& list) {
  std::string text = fmt::format("{}\n", static_cast<int>(list.outcome));
  for (const auto& item : list.items) text += text_of(item);
  return text;
}

struct RestingSubject {
  static constexpr bool has_locks = false;
  static constexpr bool has_feed = false;

  RestingSubject() = default;
  RestingSubject(const RestingSubject&) = delete;
  RestingSubject& operator=(const RestingSubject&) = delete;
  ~RestingSubject() { brought_back += harness.engine().counters().sales_brought_back; }

  template <class C>
  auto ask(C command) {
    auto answer = harness.ask(command);
    if constexpr (requires { ledger.apply(command, now()); }) {
      ledger.advance(now(), limits::turn_steps);
      const std::string expected = said(ledger.apply(command, now()));
      EXPECT_EQ(answer ? said(*answer) : answer.error().detail, expected);
      ledger.clear_changes();
    }
    return answer;
  }
  Instant now() { return harness.clock().now(); }
  /// Closes a sale now and then; most of the random ones stay open.
  void advance(Milliseconds by) {
    if (by == 999ms) close_one();
    harness.advance(by);
    for (int turns = 0; turns < 3; ++turns) static_cast<void>(harness.engine().turn());
  }
  void close_one() {
    const SalesAnswer sales = ask(ListSales{{}, 100}).value();
    if (sales.items.empty()) return;
    PatchSale command;
    command.sale = sales.items[static_cast<std::size_t>(ms(now()) / 1'000) % sales.items.size()].terms.id;
    command.state = PatchSale::State::closed;
    ask(command).value();
  }
  void reopen() {}

  static inline std::uint64_t brought_back = 0;
  EmbeddedHarness harness{{}, TemporaryFolder::Where::memory};
  sale::Ledger ledger;
};

TEST(RestProperty, WhatLeavesMemoryAnswersAsBefore) {
  const std::uint64_t first = firstcome::testing::seed();
  const auto rounds = static_cast<std::uint64_t>(firstcome::testing::rounds(25));
  for (std::uint64_t seed = first; seed < first + rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("repeat with FIRSTCOME_SEED={} FIRSTCOME_ROUNDS=1", seed));
    RandomApi<RestingSubject>{seed}.run(200);
  }
  if (rounds >= 25) {
    EXPECT_GT(RestingSubject::brought_back, rounds) << "or nothing was tried";
  }
}

}  // namespace
}  // namespace firstcome::test
