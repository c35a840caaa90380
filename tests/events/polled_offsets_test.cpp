#include "events/polled_offsets.hpp"

#include <gtest/gtest.h>

namespace firstcome::events {
namespace {

net::KafkaRecord record(int partition, std::int64_t offset, std::uint64_t assignment = 1) {
  net::KafkaRecord made;
  made.topic = "orders";
  made.partition = partition;
  made.offset = offset;
  made.assignment = assignment;
  made.key = made.payload = "text";
  return made;
}

TEST(PolledOffsets, AreCommittedUpToWhatIsStored) {
  PolledOffsets offsets;
  for (std::int64_t i = 0; i < 10; ++i) offsets.add(record(0, i), 1);
  for (std::int64_t i = 0; i < 5; ++i) offsets.add(record(1, i), 1);
  for (std::int64_t i = 10; i < 20; ++i) offsets.add(record(0, i), 2);
  EXPECT_TRUE(offsets.to_commit().empty());
  offsets.stored(1);
  ASSERT_EQ(offsets.to_commit().size(), 2U);
  EXPECT_EQ(offsets.to_commit()[0].offset, 9);
  EXPECT_EQ(offsets.to_commit()[1].offset, 4);
  EXPECT_TRUE(offsets.to_commit()[0].payload.empty()) << "the text is not kept";
  offsets.committed();
  EXPECT_TRUE(offsets.to_commit().empty());
  offsets.stored(2);
  ASSERT_EQ(offsets.to_commit().size(), 1U);
  EXPECT_EQ(offsets.to_commit()[0].offset, 19);
}

TEST(PolledOffsets, StayFewHoweverLongNothingIsCommitted) {
  PolledOffsets offsets;
  for (std::uint64_t mark = 1; mark <= 10'000; ++mark) {
    for (int partition = 0; partition < 3; ++partition) offsets.add(record(partition, std::int64_t(mark)), mark);
    if (mark > 2) offsets.stored(mark - 2);
    ASSERT_LE(offsets.size(), 9U);
  }
  offsets.stored(10'000);
  ASSERT_EQ(offsets.to_commit().size(), 3U);
  for (const net::KafkaRecord& one : offsets.to_commit()) EXPECT_EQ(one.offset, 10'000);
}

TEST(PolledOffsets, OfAnAssignmentThatIsOverAreForgotten) {
  PolledOffsets offsets;
  offsets.add(record(0, 5, 1), 1);
  offsets.add(record(1, 5, 1), 1);
  offsets.stored(1);
  offsets.add(record(1, 3, 2), 2);
  EXPECT_EQ(offsets.to_commit().size(), 2U);
  offsets.stored(2);
  ASSERT_EQ(offsets.to_commit().size(), 1U);
  EXPECT_EQ(offsets.to_commit()[0].partition, 1);
  EXPECT_EQ(offsets.to_commit()[0].offset, 3);
}

}  // namespace
}  // namespace firstcome::events
