// The outbox of a sale in Redis: what of it is read, in which pieces, and what stays of it.
#include "engine/redis/sale_codec.hpp"
#include "engine/redis/selling.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using testing::eventually;

class RedisOutbox : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    redis_ = std::make_unique<RedisHarness>();
  }

  template <class C>
  typename C::Answer ask(C command) {
    Asked asked;
    asked.command = std::move(command);
    redis_->engine().submit(asked);
    redis_->finish(asked);
    if (!asked.answer) {
      ADD_FAILURE() << asked.answer.error().detail;
      return {};
    }
    return std::get<typename C::Answer>(std::move(*asked.answer));
  }
  SaleHandle create(const SaleTerms& terms) { return ask(CreateSale{terms}).sale.handle; }
  ReserveAnswer reserve(std::string_view customer, Units quantity = 1) {
    return ask(Reserve{"s", customer, quantity, "ref-of-" + std::string(customer), {}});
  }
  /// One call for each.
  void reserve_many(int count) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(reserve("c" + std::to_string(i)).outcome, Outcome::done);
  }
  DeliveredAnswer deliver(SaleHandle stream, std::uint64_t upto, std::uint64_t token = 0) {
    return ask(DeliverEvents{stream, upto, token});
  }
  /// In place of the first node.
  RedisNode& node_with(std::uint64_t keep, std::uint64_t limit, engine::Deliveries deliveries) {
    engine::RedisEngineOptions options = options_for(redis_->url());
    options.outbox_keep = keep;
    options.outbox_limit = limit;
    options.deliveries = deliveries;
    own_ = std::make_unique<RedisNode>(std::move(options));
    return *own_;
  }
  std::uint64_t entries(SaleHandle stream) {
    return std::stoull(redis_->server().text({"XLEN", engine::SaleKeys(stream).stream}));
  }

  std::unique_ptr<RedisHarness> redis_;
  std::unique_ptr<RedisNode> own_;
};

/// Of the whole feed from `after` on, in pages of `limit`.
std::vector<EventView> feed(RedisNode& node, std::uint64_t after, std::uint32_t limit) {
  std::vector<EventView> events;
  for (;;) {
    const auto page = node.ask(ReadEvents{"s", after, limit});
    if (!page) {
      ADD_FAILURE() << page.error().detail;
      return events;
    }
    EXPECT_LE(page->items.size(), limit);
    events.insert(events.end(), page->items.begin(), page->items.end());
    if (page->next == 0) return events;
    if (page->next <= after || page->items.empty() || page->next != events.back().sequence) {
      ADD_FAILURE() << "after " << after << " comes " << page->next;
      return events;
    }
    after = page->next;
  }
}

void expect_no_gaps(const std::vector<EventView>& events, std::uint64_t first, std::uint64_t last) {
  ASSERT_EQ(events.size(), last - first + 1);
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].sequence, first + i);
    ASSERT_EQ(events[i].sale_sequence, first + i);
  }
}

TEST_F(RedisOutbox, JoinsEveryKindOfEventWithWhatItIsAbout) {
  SaleTerms terms = terms_of("s", 4);
  terms.standby = Standby::yes;
  terms.currency = "SEK";
  const SaleHandle sale = create(terms);
  const auto patch = [this](std::optional<Units> stock, std::optional<Instant> closes, PatchSale::State state) {
    PatchSale command{.sale = "s", .stock = stock, .closes_at = {}, .state = state};
    if (closes) command.closes_at = closes;
    EXPECT_EQ(ask(command).outcome, Outcome::done);
  };
  const auto pay = [this](ReservationRef ref, Charge charge) {
    EXPECT_EQ(ask(BeginPayment{ref}).outcome, Outcome::done);
    return ask(FinishPayment{ref, charge, {"paid-" + std::to_string(value(ref.number)), "account"}}).outcome;
  };
  EXPECT_EQ(pay(reserve("a").ref, Charge::charged), Outcome::done);
  const ReservationRef b = reserve("b", 2).ref;
  EXPECT_EQ(pay(b, Charge::unreachable), Outcome::gateway_unavailable);
  EXPECT_EQ(ask(Cancel{b}).outcome, Outcome::done);
  EXPECT_EQ(pay(reserve("c").ref, Charge::declined), Outcome::payment_failed);
  const ReservationRef d = reserve("d").ref;
  EXPECT_EQ(ask(Confirm{d, "shop-paid"}).outcome, Outcome::done);
  EXPECT_EQ(ask(Return{d}).outcome, Outcome::done);
  patch(2, {}, PatchSale::State::as_it_is);
  patch({}, redis_->now() + 1h, PatchSale::State::as_it_is);
  const ReservationRef e = reserve("e").ref;
  EXPECT_EQ(ask(BeginPayment{e}).outcome, Outcome::done);
  const ReservationRef f = reserve("f").ref;  // waits
  redis_->advance(70s);                       // the hold of e has gone to f, and its grace with it
  EXPECT_EQ(ask(FinishPayment{e, Charge::charged, {"paid-late", {}}}).outcome, Outcome::paid_unfulfilled);
  EXPECT_EQ(ask(FinishRefund{e}).outcome, Outcome::done);
  patch(3, {}, PatchSale::State::as_it_is);
  const ReservationRef g = reserve("g").ref;
  EXPECT_EQ(reserve("h", 2).outcome, Outcome::waiting);
  EXPECT_EQ(ask(Confirm{g, "shop-paid-g"}).outcome, Outcome::done);  // one is left, which h cannot wait for
  EXPECT_EQ(reserve("i").outcome, Outcome::waiting);
  EXPECT_EQ(ask(Confirm{f, "shop-paid-f"}).outcome, Outcome::done);  // i waits for nothing
  patch({}, {}, PatchSale::State::closed);

  const OutboxAnswer read = ask(ReadOutbox{sale});
  std::map<EventType, int> kinds;
  const std::vector<ReservationView> reservations = ask(ListReservations{.sale = "s", .customer = {}}).items;
  for (const EventView& event : read.items) {
    ++kinds[event.type];
    EXPECT_EQ(event.sale_id, "s");
    EXPECT_EQ(event.currency, "SEK");
    EXPECT_EQ(event.ref.sale, sale);
    EXPECT_EQ(event.value.has_value(), event.type == EventType::stock_changed);
    if (event.type < EventType::reservation_queued) {
      EXPECT_TRUE(event.customer.empty());
      continue;
    }
    const ReservationView& about = reservations.at(value(event.ref.number) - 1);
    EXPECT_EQ(event.customer, about.customer);
    EXPECT_EQ(event.reference, "ref-of-" + about.customer);
    EXPECT_EQ(event.quantity, about.quantity);
    EXPECT_EQ(event.amount, about.quantity * 1'000);
    EXPECT_EQ(event.payment, about.payment);
    EXPECT_GE(event.at, about.created_at);
  }
  EXPECT_EQ(kinds.size(), 18U) << "a kind is missing";
  EXPECT_EQ(kinds[EventType::reservation_confirmed], 4);
  expect_no_gaps(read.items, 1, read.upto);
  const auto refund = std::ranges::find(read.items, EventType::refund_due, &EventView::type);
  ASSERT_NE(refund, read.items.end());
  EXPECT_EQ(refund->payment, (Payment{"paid-late", {}}));
  EXPECT_EQ(refund->ref, e);
  const auto raised = std::ranges::find(read.items, EventType::stock_changed, &EventView::type);
  EXPECT_EQ(raised->value, 2);

  ASSERT_EQ(read.levels.size(), 1U);
  EXPECT_EQ(read.levels[0].sale_id, "s");
  EXPECT_EQ(read.levels[0].version, read.upto);
  EXPECT_EQ(read.levels[0].stock, 3);
  EXPECT_EQ(read.levels[0].sold, 3);
  EXPECT_EQ(read.levels[0].held, 0);
  EXPECT_EQ(read.levels[0].available, 0);
}

TEST_F(RedisOutbox, IsReadInPiecesThatEndInTheMiddleOfACall) {
  const SaleHandle sale = create(terms_of("s", 1'000));
  std::deque<Customer> customers;
  for (int i = 0; i < 1'000; ++i) {
    customers.emplace_back("c" + std::to_string(i));
    redis_->engine().submit(customers.back());
  }
  for (const Customer& one : customers) redis_->finish(one);
  ASSERT_LT(entries(sale), 500U) << "no entry has several events";

  std::vector<EventView> delivered;
  for (std::uint32_t limit = 1;; limit = limit * 2 + 1) {
    const OutboxAnswer read = ask(ReadOutbox{sale, limit});
    if (read.items.empty()) {
      EXPECT_EQ(read.upto, 0U);
      break;
    }
    ASSERT_LE(read.items.size(), limit);
    ASSERT_EQ(read.upto, read.items.back().sequence);
    delivered.insert(delivered.end(), read.items.begin(), read.items.end());
    const OutboxAnswer again = ask(ReadOutbox{sale, limit});
    ASSERT_EQ(again.upto, read.upto) << "it moved by being read";
    const DeliveredAnswer moved = deliver(sale, read.upto);
    ASSERT_EQ(moved.outcome, Outcome::done);
    ASSERT_EQ(moved.upto, read.upto);
  }
  expect_no_gaps(delivered, 1, 1'001);
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    EXPECT_EQ(value(delivered[i].ref.number), i);
    EXPECT_EQ(delivered[i].customer, customers[i - 1].name);
  }
}

TEST_F(RedisOutbox, MovesItsWatermarkOnlyForwardAndNotBeyondTheLastEvent) {
  const SaleHandle sale = create(terms_of("s", 10));
  reserve_many(5);
  EXPECT_EQ(deliver(sale, 3).outcome, Outcome::done);
  const DeliveredAnswer again = deliver(sale, 3);
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.upto, 3U);
  const DeliveredAnswer back = deliver(sale, 1);
  EXPECT_EQ(back.outcome, Outcome::unchanged);
  EXPECT_EQ(back.upto, 3U);
  EXPECT_EQ(ask(ReadOutbox{sale}).items.front().sequence, 4U);
  const DeliveredAnswer beyond = deliver(sale, UINT64_C(1) << 60U);
  EXPECT_EQ(beyond.outcome, Outcome::done);
  EXPECT_EQ(beyond.upto, 6U);
  reserve("one more");
  const OutboxAnswer read = ask(ReadOutbox{sale});
  ASSERT_EQ(read.items.size(), 1U);
  EXPECT_EQ(read.upto, 7U);
  redis_->reopen();
  EXPECT_EQ(ask(ReadOutbox{sale}).upto, 7U);
  EXPECT_EQ(ask(ReadOutbox{sale}).items.size(), 1U);
}

TEST_F(RedisOutbox, RefusesARelayWhoseTokenIsNotTheHighest) {
  const SaleHandle sale = create(terms_of("s", 10));
  reserve_many(5);
  EXPECT_EQ(deliver(sale, 1, 0).outcome, Outcome::done) << "nobody has shown a token";
  EXPECT_EQ(deliver(sale, 2, 9).outcome, Outcome::done);
  EXPECT_EQ(deliver(sale, 3, 8).outcome, Outcome::lease_lost);
  EXPECT_EQ(deliver(sale, 3, 0).outcome, Outcome::lease_lost);
  EXPECT_EQ(deliver(sale, 3, 10).outcome, Outcome::done) << "of two digits";
  // A token counts from when it was seen, also where nothing moved; and to its last digit.
  EXPECT_EQ(deliver(sale, 3, 18'446'744'073'709'551'614U).outcome, Outcome::unchanged);
  EXPECT_EQ(deliver(sale, 4, 18'446'744'073'709'551'613U).outcome, Outcome::lease_lost);
  const DeliveredAnswer refused = deliver(sale, 4, 10);
  EXPECT_EQ(refused.outcome, Outcome::lease_lost);
  EXPECT_EQ(refused.upto, 3U);
  EXPECT_EQ(deliver(sale, 4, 18'446'744'073'709'551'615U).outcome, Outcome::done);
}

TEST_F(RedisOutbox, TellsOfAnAmendedReservationWhatIsLeftAndWhatWasPaid) {
  SaleTerms terms = terms_of("s", 3);
  terms.unit_price = 1'000;
  create(terms);
  const ReservationRef ann = reserve("ann", 3).ref;
  EXPECT_EQ(ask(Confirm{ann, "shop-paid"}).outcome, Outcome::done);
  EXPECT_EQ(ask(Return{ann, 1, 3}).outcome, Outcome::done);
  const ReservationAnswer again = ask(Return{ann, 1, 3});
  EXPECT_EQ(again.outcome, Outcome::reservation_changed);
  EXPECT_EQ(again.left, 2);
  const EventView last = ask(ReadEvents{"s", 0, 100}).items.back();
  EXPECT_EQ(last.type, EventType::reservation_amended);
  EXPECT_EQ(last.amount, 2'000);
  EXPECT_EQ(last.charged, 3'000);
  EXPECT_EQ(ask(Return{ann}).outcome, Outcome::done);
  const EventView returned = ask(ReadEvents{"s", 0, 100}).items.back();
  EXPECT_EQ(returned.amount, 2'000);
  EXPECT_EQ(returned.charged, 3'000);
}

TEST_F(RedisOutbox, TrimsOnlyWhatIsDeliveredAndNotToBeKept) {
  const SaleHandle sale = create(terms_of("s", 2'000));
  reserve_many(600);
  RedisNode& node = node_with(50, 0, engine::Deliveries::expected);
  ASSERT_EQ(node.ask(DeliverEvents{sale, 300, 0})->upto, 300U);
  const auto page = node.ask(ReadEvents{"s", 0, 1});
  EXPECT_LE(page->oldest, 251U);
  EXPECT_GT(page->oldest, 100U) << "nothing was trimmed";
  EXPECT_EQ(page->items.at(0).sequence, page->oldest) << "a reader who is too late begins with what there is";
  expect_no_gaps(feed(node, 0, 100), page->oldest, 601);
  EXPECT_EQ(node.ask(ReadOutbox{sale, 500})->items.size(), 301U);

  ASSERT_EQ(node.ask(DeliverEvents{sale, 601, 0})->upto, 601U);
  const auto later = node.ask(ReadEvents{"s", 0, 1});
  EXPECT_LE(later->oldest, 552U);
  EXPECT_GT(later->oldest, 400U);
  expect_no_gaps(feed(node, 0, 100), later->oldest, 601);
  EXPECT_EQ(reserve("another").outcome, Outcome::done);
  EXPECT_EQ(node.ask(ReadOutbox{sale})->items.at(0).customer, "another");
}

TEST_F(RedisOutbox, IsAFeedOfEachSaleAndNotOfAllTogether) {
  create(terms_of("s", 10));
  create(terms_of("other", 10));
  reserve_many(9);
  EXPECT_EQ(ask(ReadEvents{"s", 0, 3}).oldest, 1U);
  expect_no_gaps(feed(redis_->node(), 0, 3), 1, 10);
  expect_no_gaps(feed(redis_->node(), 4, 3), 5, 10);
  const EventsAnswer end = ask(ReadEvents{"s", 10, 3});
  EXPECT_TRUE(end.items.empty());
  EXPECT_EQ(end.next, 0U);
  EXPECT_EQ(end.oldest, 1U);
  EXPECT_TRUE(ask(ReadEvents{"s", UINT64_MAX, 3}).items.empty());
  const EventsAnswer other = ask(ReadEvents{"other", 0, 3});
  ASSERT_EQ(other.items.size(), 1U);
  EXPECT_EQ(other.items[0].type, EventType::sale_created);
  EXPECT_EQ(ask(ReadEvents{"nobody-knows", 0, 3}).outcome, Outcome::sale_not_found);
  const auto all = redis_->node().ask(ReadEvents{});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, FailureCode::not_supported);
  EXPECT_NE(all.error().detail.find("?sale="), std::string::npos) << all.error().detail;
}

TEST_F(RedisOutbox, SaysThatAStreamIsNotThere) {
  const SaleHandle nobody{77};
  EXPECT_EQ(ask(ReadOutbox{nobody}).outcome, Outcome::sale_not_found);
  EXPECT_EQ(ask(ReadOutbox{whole_store}).outcome, Outcome::sale_not_found);
  EXPECT_EQ(deliver(nobody, 1).outcome, Outcome::sale_not_found);
}

TEST_F(RedisOutbox, TellsTheStreamWhenACallHasWrittenEvents) {
  const auto told = std::make_shared<std::atomic<int>>(0);  // the engine lives longer than this test
  const auto stream = std::make_shared<std::atomic<SaleHandle>>();
  redis_->engine().on_events([told, stream](SaleHandle written) {
    *stream = written;
    ++*told;
  });
  const SaleHandle sale = create(terms_of("s", 1));
  EXPECT_GE(*told, 1);
  EXPECT_EQ(stream->load(), sale);
  int before = *told;
  EXPECT_EQ(reserve("a").outcome, Outcome::done);
  EXPECT_EQ(*told, before + 1);
  before = *told;
  EXPECT_EQ(reserve("b").outcome, Outcome::sold_out_holds_pending);
  ask(GetSale{"s"});
  EXPECT_EQ(*told, before) << "nothing has happened";
  redis_->advance(60s);
  EXPECT_TRUE(eventually([&] { return *told > before; })) << "the end of a hold, which nobody asked for";
}

TEST_F(RedisOutbox, AcceptsNobodyWhileItIsFullButGoesOnWithTheRest) {
  const SaleHandle sale = create(terms_of("s", 10));
  RedisNode& node = node_with(100, 4, engine::Deliveries::expected);
  const auto first = node.reserve("a", key_of("a"));
  ASSERT_TRUE(node.reserve("b"));
  ASSERT_TRUE(node.reserve("c"));
  for (int i = 0; i < 3; ++i) {
    const auto refused = node.reserve("d", key_of("d"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, FailureCode::outbox_full) << refused.error().detail;
  }
  EXPECT_EQ(node.ask(GetSale{"s"})->sale.held, 3) << "something was decided";
  const auto again = node.reserve("a", key_of("a"));
  ASSERT_TRUE(again) << "it was decided before";
  EXPECT_EQ(again->outcome, Outcome::unchanged);
  EXPECT_EQ(node.ask(BeginPayment{first->ref})->outcome, Outcome::done);
  EXPECT_EQ(node.ask(FinishPayment{first->ref, Charge::declined, {}})->outcome, Outcome::payment_failed);

  const auto read = node.ask(ReadOutbox{sale, 3});
  ASSERT_EQ(node.ask(DeliverEvents{sale, read->upto, 0})->outcome, Outcome::done);
  const auto later = node.reserve("d", key_of("d"));
  ASSERT_TRUE(later) << "it is not full any more";
  EXPECT_EQ(later->outcome, Outcome::done);
  const auto full_again = node.reserve("e");
  ASSERT_FALSE(full_again);
  EXPECT_EQ(full_again.error().code, FailureCode::outbox_full);
}

TEST_F(RedisOutbox, AFullOneStillSaysWhatIsSoldOut) {
  create(terms_of("s", 1));
  RedisNode& node = node_with(100, 2, engine::Deliveries::expected);
  const auto only = node.reserve("a");
  ASSERT_TRUE(only);
  ASSERT_EQ(node.ask(Confirm{only->ref, "p"})->outcome, Outcome::done);
  const auto late = node.reserve("b");
  ASSERT_TRUE(late) << late.error().detail;
  EXPECT_EQ(late->outcome, Outcome::sold_out);
}

TEST_F(RedisOutbox, KeepsASaleUntilAllOfItIsDelivered) {
  const SaleHandle sale = create(terms_of("s", 10));
  RedisNode& node = node_with(100, 0, engine::Deliveries::expected);
  ASSERT_TRUE(node.ask(PatchSale{.sale = "s", .stock = {}, .closes_at = {}, .state = PatchSale::State::closed}));
  EXPECT_EQ(node.ask(DeleteSale{"s"})->outcome, Outcome::sale_active);
  EXPECT_EQ(node.ask(FindUndelivered{})->streams, std::vector{sale}) << "a refused deletion hides it";
  EXPECT_EQ(node.ask(DeliverEvents{sale, 1, 0})->outcome, Outcome::done);
  EXPECT_EQ(node.ask(DeleteSale{"s"})->outcome, Outcome::sale_active);
  const auto rest = node.ask(ReadOutbox{sale});
  ASSERT_EQ(rest->items.size(), 1U);
  EXPECT_EQ(rest->items[0].type, EventType::sale_closed);
  EXPECT_EQ(node.ask(DeliverEvents{sale, rest->upto, 0})->outcome, Outcome::done);
  EXPECT_EQ(node.ask(DeleteSale{"s"})->outcome, Outcome::done);
  EXPECT_EQ(node.ask(ReadOutbox{sale})->outcome, Outcome::sale_not_found);
  EXPECT_EQ(node.ask(DeliverEvents{sale, 2, 0})->outcome, Outcome::sale_not_found);
  EXPECT_EQ(node.ask(ReadEvents{"s", 0, 1})->outcome, Outcome::sale_not_found);
  EXPECT_EQ(redis_->server().text({"KEYS", "firstcome:{*"}), "") << "something of it is left";
}

TEST_F(RedisOutbox, DoesNotKeepASaleWhereNobodyDelivers) {
  create(terms_of("s", 10));
  ask(PatchSale{.sale = "s", .stock = {}, .closes_at = {}, .state = PatchSale::State::closed});
  EXPECT_EQ(ask(DeleteSale{"s"}).outcome, Outcome::done);
}

}  // namespace
}  // namespace firstcome::test
