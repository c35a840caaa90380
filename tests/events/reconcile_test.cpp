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

TEST(Reconcile, WhatAgreesIsNoDifference) {
  Reconciliation all(Topic::is_compared);
  all.sold("a", "s", OrderState::confirmed);
  all.sold("b", "s", OrderState::returned);
  for (const char* id : {"a", "b", "a"}) all.told(confirmation(id));  // delivered twice: at least once
  all.ordered({"a", "s", OrderState::confirmed});
  all.ordered({"b", "s", OrderState::returned});
  EXPECT_THAT(all.differences(), IsEmpty());
  EXPECT_EQ(all.sold(), 2U);
  EXPECT_EQ(all.orders(), 2U);
  EXPECT_EQ(all.events(), 3U);
}

TEST(Reconcile, NamesEachDifference) {
  Reconciliation all(Topic::is_compared);
  all.sold("missing", "s", OrderState::confirmed);
  all.sold("back", "s", OrderState::returned);
  all.sold("untold", "s", OrderState::confirmed);
  for (const char* id : {"missing", "back", "ghost"}) all.told(confirmation(id));
  all.ordered({"back", "s", OrderState::confirmed});
  all.ordered({"untold", "s", OrderState::confirmed});
  all.ordered({"nobody", "s", OrderState::confirmed});
  EXPECT_THAT(all.differences(),
              ElementsAre(Difference{Kind::no_order, "missing", "s"}, Difference{Kind::other_state, "back", "s"},
                          Difference{Kind::order_for_nothing, "nobody", "s"}, Difference{Kind::no_event, "untold", "s"},
                          Difference{Kind::event_for_nothing, "ghost", "s"}));
}

TEST(Reconcile, WithoutATopicNobodyMissesIt) {
  Reconciliation all(Topic::is_not_compared);
  all.sold("a", "s", OrderState::confirmed);
  all.ordered({"a", "s", OrderState::confirmed});
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
