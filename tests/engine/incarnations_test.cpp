// Numbers and sequences as they are told, across eras of a sale.
#include "engine/incarnations.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <memory>

namespace firstcome::engine {
namespace {

constexpr SaleHandle sale{7};
constexpr Incarnation first{0x1111};
constexpr Incarnation second{0x2222};

ReservationRef ref(std::uint64_t number) { return {sale, Number{number}}; }

TEST(Incarnations, LeaveAStoreThatHasNoneAsItWas) {
  const Incarnations none;
  EXPECT_EQ(none.told(ref(3)), (ToldNumber{no_incarnation, 3}));
  EXPECT_EQ(none.told_sequence(sale, 9), (ToldSequence{no_incarnation, 9}));
  EXPECT_EQ(none.find(sale, {no_incarnation, 3}), ref(3));
  EXPECT_FALSE(none.find(sale, {first, 3}));
}

TEST(Incarnations, HoldForSalesThatAreMadeInThem) {
  Incarnations incarnations;
  incarnations.begin(first, SaleHandle{7});
  incarnations.begin(second, SaleHandle{9});
  EXPECT_EQ(incarnations.told({SaleHandle{6}, Number{1}}).incarnation, no_incarnation);
  EXPECT_EQ(incarnations.told({SaleHandle{7}, Number{1}}).incarnation, first);
  EXPECT_EQ(incarnations.told({SaleHandle{8}, Number{1}}).incarnation, first);
  EXPECT_EQ(incarnations.told({SaleHandle{9}, Number{1}}).incarnation, second);
  EXPECT_EQ(incarnations.last_beginning(), SaleHandle{9});
}

TEST(Incarnations, GoOnAboveWhatWasToldBefore) {
  Incarnations incarnations;
  incarnations.begin(first, SaleHandle{1});
  incarnations.begin(Era{sale, 2, 5, second, 10, 100});
  EXPECT_EQ(incarnations.told(ref(2)), (ToldNumber{first, 2}));
  EXPECT_EQ(incarnations.told(ref(3)), (ToldNumber{second, 13}));
  EXPECT_EQ(incarnations.told_sequence(sale, 5), (ToldSequence{first, 5}));
  EXPECT_EQ(incarnations.told_sequence(sale, 6), (ToldSequence{second, 106}));
  for (const std::uint64_t number : {1, 2, 3, 4, 20}) {
    EXPECT_EQ(incarnations.find(sale, incarnations.told(ref(number))), ref(number)) << number;
    EXPECT_EQ(incarnations.find_sequence(sale, incarnations.told_sequence(sale, number)), number);
  }
}

TEST(Incarnations, FindNothingThatWasToldInALostPast) {
  Incarnations incarnations;
  incarnations.begin(first, SaleHandle{1});
  incarnations.begin(Era{sale, 2, 5, second, 10, 100});
  EXPECT_FALSE(incarnations.find(sale, {first, 3})) << "given before the loss";
  EXPECT_FALSE(incarnations.find(sale, {second, 3})) << "between the two";
  EXPECT_FALSE(incarnations.find(sale, {second, 12}));
  EXPECT_FALSE(incarnations.find_sequence(sale, {first, 6}));
}

TEST(Incarnations, AnEraAtTheSamePlaceTakesTheOthersPlace) {
  Incarnations incarnations;
  incarnations.begin(Era{sale, 2, 5, first, 0, 0});
  incarnations.begin(Era{sale, 2, 5, second, 10, 100});
  EXPECT_EQ(incarnations.told(ref(3)), (ToldNumber{second, 13}));
  EXPECT_FALSE(incarnations.find(sale, {first, 3}));
  EXPECT_EQ(incarnations.last_of(sale), (Era{sale, 2, 5, second, 10, 100}));
}

TEST(Incarnations, EventsMayChangeEarlierThanNumbers) {
  Incarnations incarnations;
  incarnations.begin(Era{sale, 2, 5, first, 0, 0});
  incarnations.begin(Era{sale, 4, 5, second, 10, 100});
  EXPECT_EQ(incarnations.told(ref(4)), (ToldNumber{first, 4}));
  EXPECT_EQ(incarnations.told(ref(5)), (ToldNumber{second, 15}));
  EXPECT_EQ(incarnations.told_sequence(sale, 6), (ToldSequence{second, 106}));
}

TEST(Incarnations, DoNotReadTheLostAsOthersAfterManyStarts) {
  Incarnations incarnations;
  incarnations.begin(first, SaleHandle{1});
  for (std::uint32_t start = 0; start < 5; ++start) {
    incarnations.begin(Era{sale, 10 + start, 20 + start, Incarnation{0x3000 + start}, 7, 1'000});
  }
  EXPECT_EQ(incarnations.told(ref(12)), (ToldNumber{Incarnation{0x3001}, 19}));
  EXPECT_EQ(incarnations.find(sale, {Incarnation{0x3001}, 19}), ref(12));
  EXPECT_FALSE(incarnations.find(sale, {Incarnation{0x3002}, 19}));
  EXPECT_FALSE(incarnations.find(sale, {first, 12}));
  EXPECT_EQ(incarnations.find_sequence(sale, {Incarnation{0x3004}, 1'100}), 100U);
}

// A node that begins has a look at every sale, and publishes what it learns of each at once.
TEST(Incarnations, ThatManySalesHaveAreChangedOneByOneAtLittleCost) {
  Incarnations all;
  constexpr std::uint64_t sales = 20'000;
  for (std::uint64_t handle = 1; handle <= sales; ++handle) all.set(SaleHandle{handle}, {Era{.incarnation = first}});
  const std::clock_t began = std::clock();
  std::shared_ptr<const Incarnations> published;
  for (std::uint64_t handle = 1; handle <= 2'000; ++handle) {
    all.set(SaleHandle{handle}, {Era{.sale = SaleHandle{handle}, .incarnation = second}});
    published = std::make_shared<const Incarnations>(all);
  }
  const double seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  EXPECT_EQ(published->last_of(SaleHandle{2'000}).incarnation, second);
  EXPECT_EQ(published->last_of(SaleHandle{2'001}).incarnation, first);
  EXPECT_LT(seconds, 2.0) << "of the processor; with a copy of all sales each time it is ten times that";
}

}  // namespace
}  // namespace firstcome::engine
