// What a store finds out from those who were told more than it knows.
#include "engine/past.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace firstcome::engine {
namespace {

constexpr SaleHandle sale{7};
constexpr Incarnation monday{0x1111};
constexpr Incarnation tuesday{0x2222};
constexpr Incarnation wednesday{0x3333};

/// Made on Monday, with two reservations and five events then; restored from a backup of that.
Incarnations restored() {
  Incarnations incarnations;
  incarnations.begin(monday, SaleHandle{1});
  incarnations.begin(Era{sale, 2, 5, wednesday, 0, 0});
  return incarnations;
}

constexpr Reached reached{2, 5, 0};

Memory memory(Incarnation incarnation, std::uint64_t number, std::uint64_t sequence) {
  return {.sale = sale,
          .sale_id = "ticket",
          .incarnation = incarnation,
          .sequence = sequence,
          .number_incarnation = incarnation,
          .number = number};
}

TEST(FindLoss, FindsNoneWhereTheWitnessKnowsNoMore) {
  EXPECT_FALSE(find_loss(restored(), reached, memory(monday, 2, 5), {}));
  EXPECT_FALSE(find_loss(restored(), reached, memory(monday, 1, 3), {})) << "it is behind";
}

TEST(FindLoss, GoesOnAboveEverythingThatTheWitnessKnows) {
  const auto found = find_loss(restored(), reached, memory(tuesday, 4, 9), {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->loss.number_from, 3U);
  EXPECT_EQ(found->loss.number_upto, 4U);
  EXPECT_EQ(found->loss.sequence_from, 6U);
  EXPECT_EQ(found->loss.sequence_upto, 9U);
  Incarnations after = restored();
  Era era = found->era;
  era.incarnation = wednesday;
  after.begin(era);
  EXPECT_EQ(after.told({sale, Number{3}}).number, 5U);
  EXPECT_GT(after.told_sequence(sale, 6).sequence, 9U);
  EXPECT_EQ(after.told({sale, Number{2}}), (ToldNumber{monday, 2})) << "what was given before keeps its id";
}

TEST(FindLoss, FindsTheSameAgainNeverAgain) {
  const auto found = find_loss(restored(), reached, memory(tuesday, 4, 9), {});
  ASSERT_TRUE(found);
  const std::array known{found->loss};
  EXPECT_FALSE(find_loss(restored(), reached, memory(tuesday, 4, 9), known));
  EXPECT_TRUE(find_loss(restored(), reached, memory(tuesday, 5, 11), known)) << "the copy that was lost lives on";
}

TEST(FindLoss, BelievesNoSequenceThatCannotBe) {
  constexpr std::uint64_t highest = 1'000 + most_lost_sequences;
  Incarnations went_on = restored();
  went_on.begin(Era{sale, 2, 5, wednesday, 0, 995});
  EXPECT_TRUE(is_possible(went_on, reached, memory(tuesday, 4, highest)));
  for (const std::uint64_t sequence :
       {highest + 1, std::uint64_t{INT64_MAX}, std::uint64_t{INT64_MAX} + 1, UINT64_MAX}) {
    EXPECT_FALSE(is_possible(went_on, reached, memory(tuesday, 4, sequence))) << sequence;
  }
  const std::string said = text_of_impossible(memory(tuesday, 4, UINT64_MAX), "the orders in x");
  for (const char* part :
       {"the orders in x", "firstcome_told", "'ticket'", "handle 7", "incarnation 8738", "event -1"}) {
    EXPECT_NE(said.find(part), said.npos) << part << " in: " << said;
  }
}

TEST(LossesBySale, ShowsThoseOfOneSaleHoweverManyThereAre) {
  LossesBySale losses;
  for (std::uint64_t handle = 1; handle <= 10'000; ++handle) {
    Loss loss;
    loss.sale = SaleHandle{handle};
    losses.add(loss);
    if (handle == 77) losses.add(loss);
  }
  EXPECT_EQ(losses.of(SaleHandle{77}).size(), 2U);
  EXPECT_EQ(losses.of(SaleHandle{78}).size(), 1U);
  EXPECT_EQ(losses.of(SaleHandle{10'001}).size(), 0U);
}

TEST(FindLoss, FindsAPastOfTheSameLength) {
  // After Wednesday has sold as many as Tuesday had, no count tells them apart any more.
  EXPECT_TRUE(find_loss(restored(), {4, 9, 0}, memory(tuesday, 4, 9), {}));
  EXPECT_FALSE(find_loss(restored(), {4, 9, 0}, memory(wednesday, 4, 9), {}));
}

TEST(FindLoss, FindsEventsOfAReservationThatBothPastsHave) {
  Memory returned = memory(tuesday, 2, 7);
  returned.number_incarnation = monday;
  const auto found = find_loss(restored(), reached, returned, {});
  ASSERT_TRUE(found);
  EXPECT_GT(found->loss.number_from, found->loss.number_upto) << "no reservation is lost";
  EXPECT_EQ(found->era.added_to_number, 0U);
  EXPECT_GT(found->era.added_to_sequence, 1U);
}

TEST(FindLoss, LeavesSequencesOfEventsThatWereDelivered) {
  const auto undelivered = find_loss(restored(), {4, 9, 0}, memory(tuesday, 4, 9), {});
  ASSERT_TRUE(undelivered);
  EXPECT_EQ(undelivered->era.after_sequence, 5U);
  EXPECT_EQ(undelivered->era.after_number, 4U);
  const auto delivered = find_loss(restored(), {4, 9, 9}, memory(tuesday, 4, 9), {});
  ASSERT_TRUE(delivered);
  EXPECT_EQ(delivered->era.after_sequence, 9U);
}

TEST(FindLoss, FindsASaleThatIsNotThereAtAll) {
  const auto lost = find_lost_sale(memory(tuesday, 4, 9), {});
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->number_from, 1U);
  const std::array known{*lost};
  EXPECT_FALSE(find_lost_sale(memory(tuesday, 4, 9), known));
}

TEST(LossText, SaysWhatIsLostAndWhoKnows) {
  Loss loss = find_loss(restored(), reached, memory(tuesday, 4, 9), {})->loss;
  loss.witness = "the orders in db";
  EXPECT_EQ(text_of(loss),
            "the store has lost part of its past: reservations 3 to 4 and events 6 to 9 of sale ticket, which the "
            "orders in db remember");
}

}  // namespace
}  // namespace firstcome::engine
