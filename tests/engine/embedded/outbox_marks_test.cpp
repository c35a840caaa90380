#include "engine/embedded/outbox_marks.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace firstcome::engine::test {
namespace {

TEST(OutboxMarks, ForgetSalesWhoseEventsAreDelivered) {
  OutboxMarks marks;
  std::size_t most = 0;
  for (std::uint64_t sale = 1; sale <= 100'000; ++sale) {
    marks.last_of_sale[sale] = ++marks.last;
    marks.delivered = marks.last - 1;
    marks.forget_delivered();
    most = std::max(most, marks.last_of_sale.size());
    ASSERT_TRUE(marks.last_of_sale.contains(sale)) << "its event is not delivered";
  }
  EXPECT_LE(most, 1'024U);
}

TEST(OutboxMarks, KeepSalesWithUndeliveredEvents) {
  OutboxMarks marks;
  for (std::uint64_t sale = 1; sale <= 10'000; ++sale) {
    marks.last_of_sale[sale] = ++marks.last;
    marks.forget_delivered();
  }
  EXPECT_EQ(marks.last_of_sale.size(), 10'000U);
  marks.delivered = 9'000;
  for (std::uint64_t sale = 10'001; sale <= 30'000; ++sale) {
    marks.last_of_sale[sale] = ++marks.last;
    marks.forget_delivered();
  }
  EXPECT_EQ(marks.last_of_sale.size(), 21'000U);
  EXPECT_FALSE(marks.last_of_sale.contains(9'000));
  EXPECT_TRUE(marks.last_of_sale.contains(9'001));
}

}  // namespace
}  // namespace firstcome::engine::test
