// How many rows a statement has.
#include "events/orders/statement_rows.hpp"

#include <gtest/gtest.h>

namespace firstcome::events {
namespace {

void store(StatementRows& rows, std::size_t batches) {
  for (std::size_t i = 0; i < batches; ++i) rows.stored(rows.now());
}

TEST(StatementRows, AreHalvedDownToOne) {
  StatementRows rows(1'000);
  EXPECT_EQ(rows.now(), 1'000U);
  rows.took_too_long(5'000);
  EXPECT_EQ(rows.now(), 500U);
  rows.took_too_long(100);
  EXPECT_EQ(rows.now(), 50U) << "more than there were would be as many again";
  for (int i = 0; i < 10; ++i) rows.took_too_long(5'000);
  EXPECT_EQ(rows.now(), 1U);
}

TEST(StatementRows, GrowAgainUpToTheMost) {
  StatementRows rows(1'000);
  rows.took_too_long(1'000);
  rows.took_too_long(1'000);
  store(rows, StatementRows::calm - 1);
  EXPECT_EQ(rows.now(), 250U);
  store(rows, 1);
  EXPECT_EQ(rows.now(), 500U);
  store(rows, StatementRows::calm - 1);
  rows.took_too_long(1'000);
  store(rows, StatementRows::calm - 1);
  EXPECT_EQ(rows.now(), 250U) << "calm begins anew after a time-out";
  store(rows, 10 * StatementRows::calm);
  EXPECT_EQ(rows.now(), 1'000U);
}

TEST(StatementRows, OfSmallBatchesNothingIsLearned) {
  StatementRows rows(1'000);
  rows.took_too_long(1);
  EXPECT_EQ(rows.now(), 1'000U) << "one row is not too many";
  rows.took_too_long(1'000);
  for (int i = 0; i < 100; ++i) rows.stored(499);
  EXPECT_EQ(rows.now(), 500U) << "the next large one would take a whole time-out again";
}

}  // namespace
}  // namespace firstcome::events
