// Bugs that others shipped, each as a test that would fail if we had it. The numbers are those of the project's list;
// the public reports are named beside each.
#include "sale/shop.hpp"

#include <firstcome/limits.hpp>

#include <set>

namespace firstcome::sale {
namespace {

// magento2 #6363, nopCommerce #4184, medusa #16569: check, then act; two buyers get the last unit.
TEST(KnownBugs, N01_TwoBuyersGetTheLastUnit) {
  for (const SaleTerms& terms : {instant_terms(1), plain_terms(1), standby_terms(1), queue_terms(1, 10)}) {
    Shop shop(terms);
    std::vector<ReservationRef> accepted;
    for (const auto* name : {"ann", "bob", "cid"}) {
      const ReserveAnswer answer = shop.reserve(name);
      if (answer.ref.number != Number{}) accepted.push_back(answer.ref);
    }
    shop.wait_awake(1s);
    int have = 0;
    for (const ReservationRef ref : accepted) {
      const ReservationState state = shop.state(ref);
      have += state == ReservationState::held || state == ReservationState::confirmed ? 1 : 0;
    }
    EXPECT_EQ(have, 1);
  }
}

// hfbin/Seckill #11, #14: repeated clicks each take a unit before the duplicate check: undersold.
TEST(KnownBugs, N03_RepeatedClicksEachTakeAUnit) {
  SaleTerms terms = instant_terms(3);
  terms.limit_per_customer = 1;
  Shop shop(terms);
  shop.reserve("ann", 1, 1);
  for (int click = 0; click < 100; ++click) {
    EXPECT_EQ(shop.reserve("ann", 1, 1).outcome, Outcome::unchanged);
    EXPECT_EQ(shop.reserve("ann").outcome, Outcome::limit_exceeded);
  }
  EXPECT_EQ(shop.sale().available, 2);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::done);
  EXPECT_EQ(shop.reserve("cid").outcome, Outcome::done);
}

// codingXiaxw/seckill #16: take, then give back what does not fit; during the dip others are told sold out.
TEST(KnownBugs, N04_ARequestThatDoesNotFitMakesOthersSeeSoldOut) {
  Shop shop(instant_terms(3));
  EXPECT_EQ(shop.reserve("ann", 5).outcome, Outcome::not_enough);
  EXPECT_EQ(shop.sale().available, 3);
  EXPECT_EQ(shop.reserve("bob", 3).outcome, Outcome::done);
}

// devFancy/springboot-coupon-system #68: marked as served, then the stock step fails: locked out with nothing.
TEST(KnownBugs, N05_MarkedAsServedWithNothing) {
  SaleTerms terms = plain_terms(1);
  terms.limit_per_customer = 1;
  terms.max_open = 1;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann");
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::sold_out_holds_pending);
  EXPECT_EQ(shop.reserve("bob", 1, 3).outcome, Outcome::sold_out_holds_pending);
  shop.cancel(ann);
  EXPECT_EQ(shop.reserve("bob", 1, 3).outcome, Outcome::done) << "a refusal leaves no mark";
}

// vendure #3065, events-made-easy #496: paid after the hold had ended and was sold to another: charged, no goods.
TEST(KnownBugs, N06_PaidAfterTheHoldWasSoldToAnother) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait(59s);
  shop.pay(ann);
  shop.wait(1s + limits::payment_grace);
  shop.buy(bob);
  EXPECT_EQ(shop.finish(ann, Charge::charged), Outcome::paid_unfulfilled);
  EXPECT_EQ(shop.sale().sold, 1);
  const auto tasks = shop.tasks();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].action, PaymentTask::Action::refund) << "what we charged is owed back";
}

// woocommerce #67354, #67931: a shopper's own hold blocks the shopper; excluding it sells twice.
TEST(KnownBugs, N08_AShoppersOwnHoldBlocksTheShopper) {
  Shop shop(plain_terms(1));
  const ReservationRef ann = shop.has("ann");
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::sold_out_holds_pending) << "a second unit is not there";
  EXPECT_EQ(shop.buy(ann), Outcome::done) << "the first is theirs to pay";
  EXPECT_EQ(shop.sale().sold, 1);
}

// event-espresso #3324, virtual-waiting-room-on-aws #154: holds that never come back: sold out with stock left.
TEST(KnownBugs, N09_HoldsThatNeverComeBack) {
  Shop shop(standby_terms(5));
  for (int round = 0; round < 50; ++round) {
    std::vector<ReservationRef> refs;
    for (int index = 0; index < 5; ++index) refs.push_back(shop.has("c" + std::to_string(index)));
    shop.cancel(refs[0]);
    shop.pay(refs[1]);
    shop.finish(refs[1], Charge::declined);
    shop.pay(refs[2]);
    shop.finish(refs[2], Charge::unreachable);
    shop.pay(refs[3]);
    if (round % 10 == 5) shop.restart();
    shop.wait(60s + limits::payment_grace);  // the charge of the fourth never ends, the others never pay
    EXPECT_EQ(shop.sale().available, 5) << "round " << round;
  }
}

// virtual-waiting-room-on-aws #154, #208: positions of people who left still count: the queue is stuck.
TEST(KnownBugs, N26_ThoseWhoLeftStillCount) {
  Shop shop(queue_terms(2, 2));
  std::vector<ReservationRef> refs;
  for (int index = 0; index < 100; ++index) refs.push_back(shop.has("c" + std::to_string(index)));
  for (std::size_t index = 0; index < 98; ++index) shop.cancel(refs[index]);
  EXPECT_EQ(shop.position(refs[98]), 1u);
  EXPECT_EQ(shop.position(refs[99]), 2u);
  shop.wait_awake(1s);
  EXPECT_EQ(shop.state(refs[98]), ReservationState::held) << "they take no turns";
  EXPECT_EQ(shop.state(refs[99]), ReservationState::held);
}

// Seen in a public waiting room: two requests get the same number after a crash between two writes.
TEST(KnownBugs, N27_TheSameNumberTwiceAfterACrash) {
  Shop shop(queue_terms(1'000, 1));
  std::set<std::uint64_t> numbers;
  for (int crash = 0; crash < 20; ++crash) {
    for (int index = 0; index < 5; ++index) {
      const ReservationRef ref = shop.has("c" + std::to_string(crash * 5 + index));
      EXPECT_TRUE(numbers.insert(value(ref.number)).second);
      if (index == 4) shop.cancel(ref);  // the last number's owner is gone when it crashes
    }
    shop.restart();
  }
  EXPECT_EQ(*numbers.rbegin(), 100u);
}

}  // namespace
}  // namespace firstcome::sale
