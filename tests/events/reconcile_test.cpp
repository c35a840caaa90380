#include "events/reconcile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::events {
namespace {

using Kind = Difference::Kind;
using Topic = Reconciliation::Topic;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Event confirmation(std::string reservation) {
  Event event;
  event.type = EventType::reservation_confirmed;
  event.reservation = std::move(reservation);
  event.sale = "s";
  return event;
}

OrderSummary summary(std::string reservation, OrderState state = OrderState::confirmed) {
  return {std::move(reservation), "s", "c", 2, 20, "KRW", "", state};
}

TEST(Reconcile, WhatAgreesIsNoDifference) {
  Reconciliation all(Topic::is_compared);
  all.sold(summary("a", OrderState::confirmed));
  all.sold(summary("b", OrderState::returned));
  for (const char* id : {"a", "b", "a"}) all.told(confirmation(id));  // delivered twice: at least once
  all.ordered(summary("a", OrderState::confirmed));
  all.ordered(summary("b", OrderState::returned));
  EXPECT_THAT(all.differences(), IsEmpty());
  EXPECT_EQ(all.sold(), 2U);
  EXPECT_EQ(all.orders(), 2U);
  EXPECT_EQ(all.events(), 3U);
}

TEST(Reconcile, NamesEachDifference) {
  Reconciliation all(Topic::is_compared);
  all.sold(summary("missing", OrderState::confirmed));
  all.sold(summary("back", OrderState::returned));
  all.sold(summary("untold", OrderState::confirmed));
  for (const char* id : {"missing", "back", "ghost"}) all.told(confirmation(id));
  all.ordered(summary("back", OrderState::confirmed));
  all.ordered(summary("untold", OrderState::confirmed));
  all.ordered(summary("nobody", OrderState::confirmed));
  EXPECT_THAT(all.differences(),
              ElementsAre(Difference{Kind::no_order, "missing", "s"}, Difference{Kind::other_state, "back", "s"},
                          Difference{Kind::order_for_nothing, "nobody", "s"}, Difference{Kind::no_event, "untold", "s"},
                          Difference{Kind::event_for_nothing, "ghost", "s"}));
}

TEST(Reconcile, NamesEachValueThatIsAnother) {
  const auto detail_of = [](OrderSummary order) {
    Reconciliation all(Topic::is_not_compared);
    all.sold(summary("a"));
    all.ordered(order);
    const auto found = all.differences();
    if (found.size() != 1 || found[0].kind != Kind::other_values) return std::string("none");
    return found[0].detail;
  };
  EXPECT_EQ(detail_of({"a", "s", "d", 2, 20, "KRW", "", OrderState::confirmed}),
            "customer: c at the server, d in the order");
  EXPECT_EQ(detail_of({"a", "s", "c", 1, 20, "KRW", "", OrderState::confirmed}),
            "quantity: 2 at the server, 1 in the order");
  EXPECT_EQ(detail_of({"a", "s", "c", 2, 3, "KRW", "", OrderState::confirmed}),
            "amount: 20 at the server, 3 in the order");
  EXPECT_EQ(detail_of({"a", "t", "c", 2, 20, "EUR", "r", OrderState::confirmed}),
            "sale: s at the server, t in the order; currency: KRW at the server, EUR in the order; "
            "reference:  at the server, r in the order");
  EXPECT_EQ(detail_of(summary("a")), "none");
}

TEST(Reconcile, MissesNoEventThatWasDeletedAsTooOldAndHasItsOrder) {
  Reconciliation all(Topic::is_compared);
  all.lost_its_beginning();
  all.sold(summary("old"));
  all.sold(summary("untold"));
  all.ordered(summary("old"));
  EXPECT_THAT(all.differences(),
              ElementsAre(Difference{Kind::no_order, "untold", "s"}, Difference{Kind::no_event, "untold", "s"}));
}

TEST(Reconcile, WithoutATopicNobodyMissesIt) {
  Reconciliation all(Topic::is_not_compared);
  all.sold(summary("a", OrderState::confirmed));
  all.ordered(summary("a", OrderState::confirmed));
  EXPECT_THAT(all.differences(), IsEmpty());
}

TEST(Reconcile, OnlyConfirmationsConcernOrders) {
  Reconciliation all(Topic::is_compared);
  Event cancelled = confirmation("x");
  cancelled.type = EventType::reservation_cancelled;
  all.told(cancelled);
  EXPECT_THAT(all.differences(), IsEmpty());
}

}  // namespace
}  // namespace firstcome::events
