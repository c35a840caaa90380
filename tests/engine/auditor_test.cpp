// What an audit sees in a sale's rows.
#include "engine/auditor.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::engine {
namespace {

using namespace std::chrono_literals;
using enum ReservationState;

constexpr Instant start{std::chrono::days{20'000}};

/// Three of one unit each, held one after the other, of a sale of ten.
struct Rows {
  sale::SaleRecord sale;
  std::vector<sale::ReservationRecord> reservations;

  Rows() {
    sale.handle = SaleHandle{1};
    sale.terms.stock = 10;
    sale.available = 7;
    sale.held = 3;
    sale.last_number = sale.serving = 3;
    for (std::uint64_t number = 1; number <= 3; ++number) {
      sale::ReservationRecord record;
      record.ref = {SaleHandle{1}, Number{number}};
      record.customer = "c";
      record.state = held;
      record.created_at = start + number * 1s;
      record.expires_at = record.created_at + 60s;
      reservations.push_back(record);
    }
  }
  AuditAnswer audit() const {
    Auditor auditor(sale, AuditSale::Depth::standard);
    for (const sale::ReservationRecord& record : reservations) auditor.take(record);
    return auditor.finish();
  }
};

TEST(Auditor, FindsNothingWrongWithHoldsInOrder) { EXPECT_TRUE(Rows().audit().ok); }

TEST(Auditor, CountsNoMoreCustomersThanItHasRoomFor) {
  Rows rows;
  rows.sale.terms.limit_per_customer = 1;
  for (const auto& [most, counted] : {std::pair(3U, true), std::pair(2U, false)}) {
    Auditor auditor(rows.sale, AuditSale::Depth::deep, most);
    for (sale::ReservationRecord record : rows.reservations) {
      record.customer = "c-" + std::to_string(value(record.ref.number));
      auditor.take(record);
    }
    EXPECT_EQ(auditor.finish().customers_over_limit, counted ? std::optional<std::uint64_t>(0) : std::nullopt);
  }
}

TEST(Auditor, SeesAHoldThatBeganBeforeAnEarlierNumbers) {
  Rows rows;
  rows.reservations[1].expires_at = rows.reservations[0].expires_at - 1ms;
  EXPECT_EQ(rows.audit().number_inversions, 1U);
  EXPECT_FALSE(rows.audit().ok);
}

TEST(Auditor, LetsAHoldThatWasExtendedEndBehindLaterOnes) {
  Rows rows;
  rows.reservations[0].expires_at += 1h;
  EXPECT_FALSE(rows.audit().ok);
  rows.reservations[0].extended = true;
  EXPECT_TRUE(rows.audit().ok);
}

TEST(Auditor, SeesUnitsThatWereGrantedAboveTheLastThatWasServed) {
  Rows rows;
  rows.sale.serving = 2;
  const AuditAnswer answer = rows.audit();
  ASSERT_EQ(answer.mismatches.size(), 1U);
  EXPECT_EQ(answer.mismatches[0], "reservation 3 was decided, though only 2 were served");
}

TEST(Auditor, LetsThoseWhoLeftTheLineBeAboveTheLastThatWasServed) {
  Rows rows;
  rows.sale.serving = 2;
  rows.sale.held = 2;
  rows.sale.available = 8;
  rows.reservations[2].state = cancelled;
  rows.reservations[2].expires_at = {};
  EXPECT_TRUE(rows.audit().ok);
}

TEST(Auditor, LetsOneWhoLeftTheLineAndPaidBeAboveTheLastThatWasServed) {
  for (const ReservationState state : {paid_unfulfilled, confirmed, returned}) {
    Rows rows;
    rows.sale.serving = 2;
    rows.sale.held = 2;
    rows.sale.sold = state == confirmed ? 1 : 0;
    rows.sale.available = 8 - rows.sale.sold;
    rows.reservations[2].state = state;
    rows.reservations[2].expires_at = {};
    EXPECT_FALSE(rows.audit().ok) << "nobody paid";
    rows.reservations[2].payment_id = "paid elsewhere";
    EXPECT_TRUE(rows.audit().ok);
  }
}

}  // namespace
}  // namespace firstcome::engine
