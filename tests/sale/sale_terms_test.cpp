// Creating, changing, listing and deleting sales; the changes and events that go with everything.
#include "sale/shop.hpp"

namespace firstcome::sale {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PatchSale patch_closes_at(std::optional<Instant> at) {
  PatchSale command;
  command.sale = "s";
  command.closes_at = at;
  return command;
}

TEST(CreateSale, AnswersTheSameTermsAgain) {
  Shop shop;
  const SaleAnswer first = shop.create(plain_terms());
  EXPECT_EQ(first.outcome, Outcome::done);
  EXPECT_EQ(first.sale.handle, SaleHandle{1});
  EXPECT_EQ(first.sale.available, 10);
  EXPECT_EQ(shop.create(plain_terms()).outcome, Outcome::unchanged);
  EXPECT_EQ(shop.create(plain_terms(11)).outcome, Outcome::sale_exists);
  SaleTerms other = plain_terms();
  other.id = "t";
  EXPECT_EQ(shop.create(other).sale.handle, SaleHandle{2});
}

TEST(CreateSale, ComparesWithTheTermsAsCreated) {
  Shop shop(plain_terms(10));
  shop.patch_stock(30);
  shop.patch_stock(20);
  shop.apply(patch_closes_at(day_one + 1h));
  shop.apply(patch_closes_at(day_one + 2h));
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(shop.create(plain_terms(10)).outcome, Outcome::unchanged);
    EXPECT_EQ(shop.create(plain_terms(10)).sale.terms.stock, 20);
    EXPECT_EQ(shop.create(plain_terms(20)).outcome, Outcome::sale_exists);
    shop.restart();
  }
}

TEST(CreateSale, ClosesAtOnceWhereItsTimeIsOver) {
  SaleTerms terms = plain_terms();
  terms.closes_at = day_one - 1s;
  Shop shop;
  EXPECT_EQ(shop.create(terms).sale.state, SaleState::closed);
}

TEST(PatchSale, ChangesStockBetweenWhatIsTakenAndMore) {
  Shop shop(plain_terms(10));
  shop.has("ann", 3);
  shop.buy(shop.has("bob", 2));
  EXPECT_EQ(shop.patch_stock(4), Outcome::stock_in_use);
  EXPECT_EQ(shop.sale().terms.stock, 10);
  EXPECT_EQ(shop.patch_stock(5), Outcome::done);
  EXPECT_EQ(shop.sale().available, 0);
  EXPECT_EQ(shop.patch_stock(5), Outcome::unchanged);
  EXPECT_EQ(shop.patch_stock(7), Outcome::done);
  EXPECT_EQ(shop.sale().available, 2);
}

TEST(PatchSale, LoweringToWhatIsSoldRefusesAllWhoWait) {
  Shop shop(queue_terms(2, 1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait_awake(1s);
  shop.buy(ann);
  EXPECT_EQ(shop.patch_stock(1), Outcome::done);
  EXPECT_EQ(shop.state(bob), ReservationState::refused);
  EXPECT_EQ(shop.reason(bob), Reason::sold_out);
}

TEST(PatchSale, ClosesOnce) {
  Shop shop(plain_terms());
  EXPECT_EQ(shop.close(), Outcome::done);
  EXPECT_EQ(shop.close(), Outcome::unchanged);
  EXPECT_EQ(shop.apply(patch_closes_at(std::nullopt)).outcome, Outcome::sale_closed);
  EXPECT_EQ(shop.patch_stock(12), Outcome::done) << "nothing is offered, but it can be counted";
}

TEST(PatchSale, MovesAndRemovesTheClosing) {
  SaleTerms terms = plain_terms();
  terms.closes_at = day_one + 10s;
  Shop shop(terms);
  EXPECT_EQ(shop.apply(patch_closes_at(day_one + 20s)).outcome, Outcome::done);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 20s);
  shop.wait(15s);
  EXPECT_EQ(shop.sale().state, SaleState::open);
  EXPECT_EQ(shop.apply(patch_closes_at(std::nullopt)).outcome, Outcome::done);
  EXPECT_EQ(shop.ledger().next_deadline(), std::nullopt);
  EXPECT_EQ(shop.apply(patch_closes_at(std::nullopt)).outcome, Outcome::unchanged);
  shop.wait(1h);
  EXPECT_EQ(shop.sale().state, SaleState::open);
  shop.new_events();
  EXPECT_EQ(shop.apply(patch_closes_at(shop.now())).sale.state, SaleState::closed) << "at once";
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::sale_changed, EventType::sale_closed));
}

TEST(PatchSale, ChangesNothingUnlessAllOfItCanBe) {
  Shop shop(plain_terms());
  shop.has("ann", 5);
  shop.new_events();
  PatchSale command = patch_closes_at(day_one + 1h);
  command.stock = 3;
  command.state = PatchSale::State::closed;
  EXPECT_EQ(shop.apply(command).outcome, Outcome::stock_in_use);
  EXPECT_TRUE(shop.ledger().changes().empty());
  EXPECT_EQ(shop.sale().terms.closes_at, std::nullopt);
  shop.close();
  shop.new_events();
  command.state = PatchSale::State::as_it_is;
  command.stock = 20;
  EXPECT_EQ(shop.apply(command).outcome, Outcome::sale_closed);
  EXPECT_TRUE(shop.ledger().changes().empty());
}

TEST(PatchSale, KnowsNoOtherSale) {
  Shop shop;
  EXPECT_EQ(shop.patch_stock(3), Outcome::sale_not_found);
  EXPECT_EQ(shop.apply(GetSale{"s"}).outcome, Outcome::sale_not_found);
  EXPECT_EQ(shop.apply(DeleteSale{"s"}).outcome, Outcome::sale_not_found);
  EXPECT_EQ(shop.apply(ListReservations{}).outcome, Outcome::sale_not_found);
}

TEST(DeleteSale, NeedsAClosedSaleWithNothingRunning) {
  Shop shop(plain_terms(1));
  const ReservationRef late = shop.has("ann");
  EXPECT_EQ(shop.apply(DeleteSale{"s"}).outcome, Outcome::sale_active) << "not closed";
  shop.pay(late);
  shop.close();
  EXPECT_EQ(shop.apply(DeleteSale{"s"}).outcome, Outcome::sale_active) << "held";
  shop.wait(70s);
  EXPECT_EQ(shop.apply(DeleteSale{"s"}).outcome, Outcome::sale_active) << "a payment runs";
  EXPECT_EQ(shop.finish(late, Charge::charged), Outcome::paid_unfulfilled);
  EXPECT_EQ(shop.apply(DeleteSale{"s"}).outcome, Outcome::sale_active) << "a refund is due";
  shop.apply(FinishRefund{late});
  const SaleAnswer deleted = shop.apply(DeleteSale{"s"});
  EXPECT_EQ(deleted.outcome, Outcome::done);
  EXPECT_EQ(deleted.sale.terms.id, "s");
  EXPECT_THAT(shop.ledger().changes().deleted, ElementsAre(SaleHandle{1}));
  EXPECT_THAT(shop.ledger().changes().inserted, IsEmpty());
  EXPECT_THAT(shop.ledger().changes().sales, IsEmpty());
  EXPECT_TRUE(shop.stored().reservations.empty());
  EXPECT_EQ(shop.apply(GetReservation{late}).outcome, Outcome::reservation_not_found);
  EXPECT_EQ(shop.ledger().next_deadline(), std::nullopt);
}

TEST(DeleteSale, AHandleIsNeverGivenTwice) {
  Shop shop(plain_terms());
  shop.close();
  shop.apply(DeleteSale{"s"});
  EXPECT_EQ(shop.create(plain_terms()).sale.handle, SaleHandle{2});
  Ledger fresh;
  fresh.restore_last_handle(shop.ledger().last_handle());
  EXPECT_EQ(fresh.apply(CreateSale{plain_terms()}, day_one).sale.handle, SaleHandle{3});
}

TEST(DeleteSale, ANewSaleOfTheSameNameRemembersNoRefusals) {
  Shop shop(instant_terms(0));
  EXPECT_EQ(shop.reserve("ann", 1, 1).outcome, Outcome::sold_out);
  shop.close();
  shop.apply(DeleteSale{"s"});
  shop.create(instant_terms(1));
  EXPECT_EQ(shop.reserve("ann", 1, 1).outcome, Outcome::done);
}

TEST(ListSales, IsByIdAndGoesOn) {
  Shop shop;
  for (const auto* id : {"delta", "alpha", "charlie", "bravo"}) {
    SaleTerms terms = plain_terms();
    terms.id = id;
    shop.create(terms);
  }
  const SalesAnswer first = shop.apply(ListSales{.after = "", .limit = 3});
  ASSERT_EQ(first.items.size(), 3u);
  EXPECT_EQ(first.items[0].terms.id, "alpha");
  EXPECT_EQ(first.items[2].terms.id, "charlie");
  EXPECT_EQ(first.next, "charlie");
  const SalesAnswer second = shop.apply(ListSales{.after = first.next, .limit = 3});
  ASSERT_EQ(second.items.size(), 1u);
  EXPECT_EQ(second.items[0].terms.id, "delta");
  EXPECT_EQ(second.next, "");
}

TEST(ListReservations, PagesThroughAMillionOfOneCustomerWithoutWalkingThemAll) {
  constexpr std::uint64_t all = 1'000'000;
  Shop shop(instant_terms(static_cast<Units>(2 * all)));
  for (std::uint64_t index = 0; index < all; ++index) shop.reserve(index % 3 == 0 ? "other" : "guest");
  ListReservations command;
  command.sale = "s";
  command.customer = "guest";
  command.limit = 1'000;
  std::uint64_t expected = 2;  // of every three the second and the third
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t pages = 0; pages < 100; ++pages) {
    const ReservationsAnswer answer = shop.apply(command);
    ASSERT_EQ(answer.items.size(), 1'000u);
    for (const ReservationView& item : answer.items) {
      ASSERT_EQ(value(item.ref.number), expected);
      expected += expected % 3 == 0 ? 2 : 1;
    }
    ASSERT_EQ(answer.next, answer.items.back().ref.number);
    command.after = answer.next;
  }
  command.limit = 1;
  for (std::size_t pages = 0; pages < 1'000; ++pages) ASSERT_EQ(shop.apply(command).items.size(), 1u);
  // Walking the chain for each would be a thousand times half a million links.
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST(ListReservations, OfACustomerHasExactlyWhatIsBehindTheCursor) {
  for (const std::uint64_t all : {1u, 255u, 256u, 257u, 600u, 2'000u}) {
    Shop shop(instant_terms(3'000));
    for (std::uint64_t index = 0; index < all; ++index) shop.has("guest");
    if (all % 2 == 0) shop.restart();
    ListReservations command;
    command.sale = "s";
    command.customer = "guest";
    for (const std::uint32_t limit : {1u, 2u, 254u, 255u, 256u, 257u, 511u, 1'000u}) {
      command.limit = limit;
      for (std::uint64_t after = 0; after <= all; after += 1 + all / 40) {
        command.after = Number{after};
        const ReservationsAnswer answer = shop.apply(command);
        const std::uint64_t expected = std::min<std::uint64_t>(limit, all - after);
        ASSERT_EQ(answer.items.size(), expected) << all << " " << limit << " " << after;
        if (expected > 0) {
          ASSERT_EQ(value(answer.items.front().ref.number), after + 1);
        }
        ASSERT_EQ(value(answer.next), all - after > limit ? after + limit : 0);
      }
    }
  }
}

TEST(ListReservations, TellsEachItsPlaceWhoeverHasLeft) {
  Shop shop(standby_terms(1));
  shop.has("first");
  std::vector<ReservationRef> waiting;
  for (int index = 0; index < 50; ++index) waiting.push_back(shop.has("c"));
  for (const std::size_t gone : {0u, 7u, 8u, 30u}) shop.cancel(waiting[gone]);
  ListReservations command;
  command.sale = "s";
  const ReservationsAnswer answer = shop.apply(command);
  for (const ReservationView& item : answer.items) EXPECT_EQ(item.position, shop.get(item.ref).position);
}

TEST(ListReservations, TakesEveryCursorThereIs) {
  Shop shop(plain_terms());
  shop.has("ann");
  ListReservations command;
  command.sale = "s";
  for (const std::uint64_t after : {std::uint64_t{1}, std::uint64_t{UINT32_MAX}, UINT64_MAX - 1, UINT64_MAX}) {
    command.after = Number{after};
    for (const std::optional<std::string>& customer :
         {std::optional<std::string>{}, std::optional{std::string("ann")}}) {
      command.customer = customer;
      const ReservationsAnswer answer = shop.apply(command);
      EXPECT_EQ(answer.outcome, Outcome::done);
      EXPECT_TRUE(answer.items.empty());
      EXPECT_EQ(answer.next, Number{});
    }
  }
}

TEST(ListReservations, IsByNumberAndGoesOn) {
  Shop shop(plain_terms(100));
  for (int index = 0; index < 10; ++index) shop.has(index % 3 == 0 ? "ann" : "bob");
  ListReservations command;
  command.sale = "s";
  command.limit = 4;
  std::vector<std::uint64_t> seen;
  for (int page = 0; page < 5; ++page) {
    const ReservationsAnswer answer = shop.apply(command);
    for (const ReservationView& view : answer.items) seen.push_back(value(view.ref.number));
    command.after = answer.next;
    if (answer.next == Number{}) break;
  }
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  command.after = {};
  command.customer = "ann";
  command.limit = 3;
  const ReservationsAnswer ann = shop.apply(command);
  ASSERT_EQ(ann.items.size(), 3u);
  EXPECT_EQ(ann.items[2].ref.number, Number{7});
  EXPECT_EQ(ann.next, Number{7});
  command.after = ann.next;
  const ReservationsAnswer rest = shop.apply(command);
  ASSERT_EQ(rest.items.size(), 1u);
  EXPECT_EQ(rest.items[0].ref.number, Number{10});
  EXPECT_EQ(rest.next, Number{});
}

TEST(ReservationView, ShowsWhatWasAsked) {
  Shop shop(plain_terms());
  const ReserveAnswer answer = shop.reserve("ann", 3, 0, "my-order-7");
  const ReservationView view = shop.get(answer.ref);
  EXPECT_EQ(view.sale_id, "s");
  EXPECT_EQ(view.customer, "ann");
  EXPECT_EQ(view.quantity, 3);
  EXPECT_EQ(view.reference, "my-order-7");
  EXPECT_EQ(view.amount, 300);
  EXPECT_EQ(view.currency, "KRW");
  EXPECT_EQ(view.created_at, day_one);
  EXPECT_EQ(view.expires_at, day_one + 60s);
  EXPECT_EQ(view.expires_in, 60s);
  EXPECT_EQ(view.position, std::nullopt);
}

TEST(Changes, NameEachReservationAndSaleOnce) {
  Shop shop(standby_terms(1));
  shop.new_events();
  const ReservationRef ann = shop.has("ann");
  shop.pay(ann);
  shop.finish(ann, Charge::declined);
  EXPECT_THAT(shop.ledger().changes().inserted, ElementsAre(ann));
  EXPECT_THAT(shop.ledger().changes().updated, IsEmpty()) << "it was inserted in this batch";
  EXPECT_THAT(shop.ledger().changes().sales, ElementsAre(SaleHandle{1}));
  const ReservationRef bob = shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  shop.new_events();
  shop.pay(bob);
  shop.finish(bob, Charge::unreachable);
  shop.cancel(bob);
  EXPECT_THAT(shop.ledger().changes().updated, ElementsAre(bob, cid));
  EXPECT_THAT(shop.ledger().changes().sales, ElementsAre(SaleHandle{1}));
  shop.new_events();
  shop.cancel(cid);
  EXPECT_THAT(shop.ledger().changes().updated, ElementsAre(cid)) << "a new batch";
}

TEST(Changes, RefusingAllWhoWaitTouchesNoRows) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  for (int index = 0; index < 1'000; ++index) shop.has("c" + std::to_string(index));
  shop.pay(ann);
  shop.new_events();
  shop.finish(ann, Charge::charged);
  EXPECT_THAT(shop.ledger().changes().updated, ElementsAre(ann));
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_confirmed, EventType::waiting_refused));
  EXPECT_EQ(shop.stored().events.back().number, Number{1'001});
  EXPECT_EQ(shop.sale().queued, 0u);
}

TEST(Changes, ReadsMakeNone) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  shop.has("bob");
  shop.new_events();
  shop.get(ann);
  shop.sale();
  shop.apply(ListSales{});
  shop.reserve("cid", 5);
  shop.pay(ReservationRef{SaleHandle{1}, Number{2}});
  shop.give_back(ann);
  EXPECT_TRUE(shop.ledger().changes().empty());
}

TEST(Events, AreNumberedWithoutGapsPerSale) {
  Shop shop(standby_terms(2));
  SaleTerms other = plain_terms();
  other.id = "t";
  shop.create(other);
  const ReservationRef ann = shop.has("ann");
  shop.buy(ann);
  shop.has("bob");
  shop.has("cid");
  shop.wait(60s);
  shop.sale();
  shop.restart();
  shop.give_back(ann);
  std::map<SaleHandle, std::uint64_t> last;
  for (const EventRecord& event : shop.stored().events) EXPECT_EQ(event.sale_sequence, ++last[event.sale]);
  EXPECT_GT(last[SaleHandle{1}], 8u);
}

TEST(Memory, ASmallSaleCostsLittle) {
  Shop shop;
  for (int index = 0; index < 100; ++index) {
    SaleTerms terms = plain_terms();
    terms.id = "sale-" + std::to_string(index);
    shop.create(terms);
    shop.apply(
        Reserve{.sale = terms.id, .customer = "a customer of 24 bytes..", .quantity = 1, .reference = {}, .key = {}});
  }
  EXPECT_LT(shop.ledger().bytes() / 100, 10u * 1'024);
}

TEST(Memory, ASaleThatGrowsKeepsWhatItHad) {
  Shop shop(instant_terms(10'000));
  std::vector<std::string> customers;
  for (int index = 0; index < 3'000; ++index) {
    customers.push_back("customer-" + std::string(static_cast<std::size_t>(index % 100), 'x') + std::to_string(index));
    shop.reserve(customers.back(), 1, 0, "reference-" + std::to_string(index));
  }
  for (std::size_t index = 0; index < customers.size(); ++index) {
    const ReservationView view = shop.get({SaleHandle{1}, Number{index + 1}});
    ASSERT_EQ(view.customer, customers[index]);
    ASSERT_EQ(view.reference, "reference-" + std::to_string(index));
  }
}

}  // namespace
}  // namespace firstcome::sale
