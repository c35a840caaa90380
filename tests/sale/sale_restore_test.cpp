// Building a ledger again, and what it says of records that cannot be right.
#include "sale/shop.hpp"

#include <firstcome/limits.hpp>

namespace firstcome::sale {
namespace {

using ::testing::HasSubstr;

/// What is stored of a shop with one reservation in each interesting state.
struct Records {
  SaleRecord sale;
  std::vector<ReservationRecord> rows;

  Records() {
    Shop shop(standby_terms(4));
    shop.buy(shop.has("ann"));              // 1 confirmed
    shop.cancel(shop.has("bob"));           // 2 cancelled
    shop.reserve("cid", 2, 77, "order-3");  // 3 held
    shop.pay(shop.has("ann"));              // 4 held, being charged
    shop.has("dan");                        // 5 queued
    shop.cancel(shop.has("eve"));           // 6 left the line
    shop.has("bob");                        // 7 queued
    const Stored& stored = shop.stored();
    sale = stored.sales.begin()->second;
    for (const auto& [ref, row] : stored.reservations) rows.push_back(row);
  }
  ReservationRecord& row(std::size_t number) { return rows[number - 1]; }

  std::string problem() const {
    Ledger ledger;
    std::optional<std::string> problem = ledger.restore(sale);
    for (const ReservationRecord& record : rows) {
      if (!problem) problem = ledger.restore(record, day_one);
    }
    if (!problem) problem = ledger.finish_restore();
    return problem.value_or("");
  }
};

TEST(Restore, GoesOnWhereItStopped) {
  Shop shop(standby_terms(4));
  const ReservationRef ann = shop.has("ann", 4);
  std::vector<ReservationRef> waiting;
  for (int index = 0; index < 5; ++index) waiting.push_back(shop.has("c" + std::to_string(index)));
  shop.cancel(waiting[1]);
  shop.pay(ann);
  shop.restart();
  EXPECT_EQ(shop.sale().queued, 4u);
  EXPECT_EQ(shop.position(waiting[4]), 4u);
  EXPECT_EQ(shop.pay(ann), Outcome::request_in_progress) << "the claim is kept";
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 60s);
  EXPECT_EQ(shop.finish(ann, Charge::declined), Outcome::payment_failed);
  EXPECT_EQ(shop.sale().queued, 0u);
  EXPECT_EQ(shop.reserve("new").ref.number, Number{7}) << "numbers go on";
}

TEST(Restore, KeepsKeysForADayAndForgetsRefusals) {
  Shop shop(instant_terms(1));
  const ReservationRef ann = shop.reserve("ann", 1, 5, "r").ref;
  EXPECT_EQ(shop.reserve("bob", 1, 6).outcome, Outcome::sold_out);
  shop.restart();
  EXPECT_EQ(shop.reserve("ann", 1, 5, "r").outcome, Outcome::unchanged);
  EXPECT_EQ(shop.reserve("ann", 1, 5, "r").ref, ann);
  shop.patch_stock(3);
  EXPECT_EQ(shop.reserve("bob", 1, 6).outcome, Outcome::done);
  shop.wait(24h);
  shop.restart();
  EXPECT_EQ(shop.reserve("ann", 1, 5, "r").outcome, Outcome::done);
}

TEST(Restore, KeepsLimitsAlsoOfThoseWhoWereRefusedTogether) {
  SaleTerms terms = standby_terms(1);
  terms.limit_per_customer = 1;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann");
  shop.has("bob");
  shop.buy(ann);
  shop.restart();
  shop.patch_stock(3);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::limit_exceeded);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::done);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::limit_exceeded);
}

TEST(Restore, ShowsEverythingAsBefore) {
  Shop shop(plain_terms());
  const ReserveAnswer answer = shop.reserve("ann", 2, 9, "my-order");
  shop.buy(answer.ref);
  const ReservationView before = shop.get(answer.ref);
  shop.restart();
  const ReservationView after = shop.get(answer.ref);
  EXPECT_EQ(after.customer, before.customer);
  EXPECT_EQ(after.reference, "my-order");
  EXPECT_EQ(after.payment, before.payment);
  EXPECT_EQ(after.amount, before.amount);
  EXPECT_EQ(after.expires_at, before.expires_at);
  EXPECT_EQ(after.state, ReservationState::confirmed);
}

TEST(Restore, TakesWhatIsRight) { EXPECT_EQ(Records{}.problem(), ""); }

TEST(Restore, SaysWhichNumberIsWrongAndWhy) {
  struct Damage {
    const char* what;
    void (*damage)(Records&);
    const char* says;
  };
  using enum ReservationState;
  const std::vector<Damage> damages{
      {"a row is missing", [](Records& r) { r.rows.erase(r.rows.begin() + 2); },
       "number 4: the number before it is missing"},
      {"the last row is missing", [](Records& r) { r.rows.pop_back(); }, "its last number is 7, found 6"},
      {"a row too many", [](Records& r) { r.sale.last_number = 6; }, "above the last number"},
      {"a row twice", [](Records& r) { r.rows.push_back(r.row(7)); }, "number 7"},
      {"no customer", [](Records& r) { r.row(1).customer.clear(); }, "number 1: its customer"},
      {"another customer", [](Records& r) { r.row(4).customer = "zoe"; },
       "number 4: it does not name its customer's previous"},
      {"no units", [](Records& r) { r.row(3).quantity = 0; }, "number 3: its quantity"},
      {"other units", [](Records& r) { r.row(3).quantity = 1; }, "held is 3, its reservations say 2"},
      {"an unknown state", [](Records& r) { r.row(2).state = ReservationState{99}; }, "number 2: its state"},
      {"an unknown reason", [](Records& r) { r.row(2).reason = Reason{9}; }, "its reason"},
      {"an unknown refund", [](Records& r) { r.row(2).refund = Refund{3}; }, "its refund"},
      {"sold twice", [](Records& r) { r.row(2).state = confirmed; }, "sold is 1, its reservations say 2"},
      {"forgotten", [](Records& r) { r.row(1).state = returned; }, "sold is 1, its reservations say 0"},
      {"waits behind the served",
       [](Records& r) {
         r.row(3).state = queued;
         r.row(3).position = 1;
       },
       "passed over"},
      {"served before its turn",
       [](Records& r) {
         r.row(7).state = held;
         r.row(7).expires_at = day_one + 1h;
       },
       "out of turn"},
      {"held without end", [](Records& r) { r.row(3).expires_at = {}; }, "held without an end"},
      {"ends too early", [](Records& r) { r.row(4).expires_at = day_one + 1ms; }, "number 4: its hold ends before"},
      {"charged though confirmed", [](Records& r) { r.row(1).claimed_at = day_one; }, "a charge runs"},
      {"a refund of a sale", [](Records& r) { r.row(1).refund = Refund::due; }, "a refund is due"},
      {"older than the one before", [](Records& r) { r.row(5).created_at -= 1ms; }, "number 5: it is older"},
      {"an impossible position", [](Records& r) { r.row(5).position = 50; }, "its position"},
      {"a reference too long", [](Records& r) { r.row(5).reference = std::string(200, 'x'); }, "its reference"},
      {"a counter below zero",
       [](Records& r) {
         r.sale.available = -1;
         r.sale.sold += 1;
       },
       "counter"},
      {"counters that do not add up", [](Records& r) { r.sale.sold += 1; }, "is not its stock"},
      {"counters that are wrong",
       [](Records& r) {
         r.sale.sold += 1;
         r.sale.held -= 1;
       },
       "held is 2"},
      {"serving beyond the last", [](Records& r) { r.sale.serving = 8; }, "serving"},
      {"refused beyond serving", [](Records& r) { r.sale.sold_out_upto = 7; }, "refusal"},
      {"closed, but somebody waits", [](Records& r) { r.sale.closed = true; }, "somebody waits"},
      {"no handle", [](Records& r) { r.sale.handle = {}; }, "handle"},
      {"another sale", [](Records& r) { r.sale.handle = SaleHandle{9}; }, "unknown sale"},
      {"a negative stock", [](Records& r) { r.sale.terms.stock = -4; }, "stock"},
      {"over the limit", [](Records& r) { r.sale.terms.limit_per_customer = 1; }, "more than the limit"},
  };
  for (const Damage& damage : damages) {
    Records records;
    damage.damage(records);
    EXPECT_THAT(records.problem(), HasSubstr(damage.says)) << damage.what;
  }
}

TEST(Restore, RefusesTheSameSaleTwice) {
  Records records;
  Ledger ledger;
  EXPECT_EQ(ledger.restore(records.sale), std::nullopt);
  EXPECT_NE(ledger.restore(records.sale), std::nullopt);
  records.sale.handle = SaleHandle{2};
  EXPECT_NE(ledger.restore(records.sale), std::nullopt) << "another handle, the same id";
}

TEST(Restore, TakesEveryTickThatASaleCanReach) {
  SaleTerms terms = queue_terms();
  terms.queue->tick = limits::tick_min;
  terms.opens_at = Instant{std::chrono::sys_days{std::chrono::year{0} / 1 / 1}};
  Shop shop(terms);
  EXPECT_GT(shop.stored().sales.begin()->second.last_tick, 1'000'000'000'000U) << "the zero time of many languages";
  shop.restart();
  shop.has("ann");
  shop.wait(10ms);
  shop.restart();
  EXPECT_EQ(shop.sale().held, 1);
}

TEST(Restore, RefusesATickThatNoSaleCanReach) {
  Records records;
  records.sale.terms.queue = QueueTerms{.admit_per_tick = 1, .tick = limits::tick_max};
  records.sale.last_tick = UINT64_MAX;
  EXPECT_THAT(records.problem(), HasSubstr("its tick is out of range"));
  records.sale.last_tick = 3'000'000'000;
  EXPECT_THAT(records.problem(), HasSubstr("its tick is out of range"));
}

TEST(Restore, RefusesInstantsOutsideTheYearsThatCanBeShown) {
  Records records;
  records.sale.terms.opens_at = Instant::min();
  EXPECT_THAT(records.problem(), HasSubstr("an instant is out of range"));
}

}  // namespace
}  // namespace firstcome::sale
