// What every engine must do, whatever stores its decisions. Instantiated once per engine:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, EngineContract, EmbeddedHarness);
//
// A harness is default-constructible, starts with an empty store, and has
//   Engine& engine();
//   void finish(const Asked& asked);    drives or waits until it is done
//   void advance(Milliseconds by);      lets time pass
//   void reopen();                      as after a restart of everything
//   static constexpr bool has_feed      whether one feed tells of all sales
#pragma once

#include "engine/asking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::test {

template <class Harness>
class EngineContract : public testing::Test {
 protected:
  template <class C>
  typename C::Answer ask(C command) {
    Asked asked;
    asked.command = std::move(command);
    harness.engine().submit(asked);
    harness.finish(asked);
    if (!asked.answer) {
      ADD_FAILURE() << "no outcome: " << asked.answer.error().detail;
      return {};
    }
    return std::get<typename C::Answer>(*asked.answer);
  }
  ReserveAnswer reserve(std::string_view customer, Units quantity = 1, KeyHash key = {}) {
    return ask(Reserve{"s", customer, quantity, "ref", key});
  }
  void create(SaleTerms terms) { ASSERT_EQ(ask(CreateSale{std::move(terms)}).outcome, Outcome::done); }

  /// Of the one sale that there is.
  SaleHandle stream() {
    const UndeliveredAnswer found = ask(FindUndelivered{});
    EXPECT_EQ(found.streams.size(), 1U);
    return found.streams.empty() ? whole_store : found.streams.front();
  }
  /// As a relay does, so many events at a time.
  std::vector<EventView> deliver_all(SaleHandle from, std::uint32_t limit) {
    std::vector<EventView> events;
    for (;;) {
      const OutboxAnswer read = ask(ReadOutbox{from, limit});
      EXPECT_EQ(read.outcome, Outcome::done);
      if (read.upto == 0) return events;
      EXPECT_LE(read.items.size(), limit);
      std::ranges::copy_if(read.items, std::back_inserter(events),
                           [](const EventView& event) { return leaves_the_house(event.type); });
      const DeliveredAnswer moved = ask(DeliverEvents{from, read.upto, 1});
      EXPECT_EQ(moved.upto, read.upto);
      if (moved.outcome != Outcome::done) {
        ADD_FAILURE() << "the watermark did not move";
        return events;
      }
    }
  }

  Harness harness;
};

TYPED_TEST_SUITE_P(EngineContract);

TYPED_TEST_P(EngineContract, SellsTheStockAndNotOneMore) {
  this->create(terms_of("s", 2));
  EXPECT_EQ(this->reserve("a").outcome, Outcome::done);
  EXPECT_EQ(this->reserve("b").outcome, Outcome::done);
  EXPECT_EQ(this->reserve("c").outcome, Outcome::sold_out_holds_pending);
  const SaleView sale = this->ask(GetSale{"s"}).sale;
  EXPECT_EQ(sale.held, 2);
  EXPECT_EQ(sale.available, 0);
}

TYPED_TEST_P(EngineContract, DecidesThoseThatWaitTogetherInTheirOrder) {
  this->create(terms_of("s", 3));
  std::vector<std::unique_ptr<Asked>> asked;
  for (const std::string_view customer : {"a", "b", "c", "d"}) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", customer, 1, {}, {}};
    this->harness.engine().submit(*asked.back());
  }
  for (const auto& one : asked) this->harness.finish(*one);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(value(asked[i]->template as<ReserveAnswer>().ref.number), i + 1);
  EXPECT_EQ(asked[3]->template as<ReserveAnswer>().outcome, Outcome::sold_out_holds_pending);
}

TYPED_TEST_P(EngineContract, GivesTheSameKeyTheSameAnswerAlsoAfterARestart) {
  this->create(terms_of("s", 5));
  const ReserveAnswer first = this->reserve("a", 2, {7, 9});
  const ReserveAnswer again = this->reserve("a", 2, {7, 9});
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.ref, first.ref);
  this->harness.reopen();
  const ReserveAnswer later = this->reserve("a", 2, {7, 9});
  EXPECT_EQ(later.outcome, Outcome::unchanged);
  EXPECT_EQ(later.ref, first.ref);
  EXPECT_EQ(later.state, first.state);
  EXPECT_EQ(later.created_at, first.created_at);
  EXPECT_EQ(this->reserve("a", 3, {7, 9}).outcome, Outcome::idempotency_key_reused);
  EXPECT_EQ(this->ask(GetSale{"s"}).sale.held, 2);
}

TYPED_TEST_P(EngineContract, EndsAHoldWhenItSaysSo) {
  this->create(terms_of("s", 1));
  const ReservationRef ref = this->reserve("a").ref;
  this->harness.advance(Milliseconds{59'999});
  EXPECT_EQ(this->reserve("b").outcome, Outcome::sold_out_holds_pending);
  this->harness.advance(Milliseconds{1});
  EXPECT_EQ(this->reserve("b").outcome, Outcome::done);
  EXPECT_EQ(this->ask(GetReservation{ref}).reservation.state, ReservationState::expired);
}

TYPED_TEST_P(EngineContract, ChargesAHoldOnce) {
  this->create(terms_of("s", 1));
  const ReservationRef ref = this->reserve("a").ref;
  EXPECT_EQ(this->ask(BeginPayment{ref}).outcome, Outcome::done);
  EXPECT_EQ(this->ask(BeginPayment{ref}).outcome, Outcome::request_in_progress);
  EXPECT_EQ(this->ask(Cancel{ref}).outcome, Outcome::payment_in_progress);
  EXPECT_EQ(this->ask(FinishPayment{ref, Charge::charged, {"p-1", "acc"}}).outcome, Outcome::done);
  const ReservationAnswer again = this->ask(BeginPayment{ref});
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.reservation.state, ReservationState::confirmed);
  EXPECT_EQ(again.reservation.payment, (Payment{"p-1", "acc"}));
}

TYPED_TEST_P(EngineContract, AuditsASaleThatAddsUp) {
  this->create(terms_of("s", 4));
  this->reserve("a", 2);
  const ReservationRef b = this->reserve("b").ref;
  this->ask(Cancel{b});
  this->ask(Confirm{this->reserve("c").ref, "p"});
  const AuditAnswer audit = this->ask(AuditSale{"s"});
  EXPECT_EQ(audit.outcome, Outcome::done);
  EXPECT_TRUE(audit.ok) << testing::PrintToString(audit.mismatches);
  EXPECT_EQ(audit.stock, 4);
  EXPECT_EQ(audit.held, 2);
  EXPECT_EQ(audit.sold, 1);
  EXPECT_EQ(audit.available, 1);
  EXPECT_EQ(audit.customers_over_limit, 0U);
  EXPECT_EQ(this->ask(AuditSale{"nobody-knows"}).outcome, Outcome::sale_not_found);
}

TYPED_TEST_P(EngineContract, TellsEveryEventOnceAndInOrder) {
  if constexpr (!TypeParam::has_feed) {  // then it says so, instead of telling of nothing
    Asked asked;
    asked.command = ReadEvents{};
    this->harness.engine().submit(asked);
    this->harness.finish(asked);
    ASSERT_FALSE(asked.answer);
    EXPECT_EQ(asked.answer.error().code, FailureCode::not_supported);
    return;
  }
  this->create(terms_of("s", 4));
  for (const std::string_view customer : {"a", "b", "c"}) this->reserve(customer);
  std::vector<EventView> events;
  for (std::uint64_t after = 0, more = 1; more != 0; after = more) {
    const EventsAnswer page = this->ask(ReadEvents{{}, after, 2});
    events.insert(events.end(), page.items.begin(), page.items.end());
    more = page.next;
    if (more == 0) break;
  }
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].type, EventType::sale_created);
  for (std::uint64_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sale_sequence, i + 1);
  EXPECT_EQ(events[2].type, EventType::reservation_held);
  EXPECT_EQ(events[2].customer, "b");
  EXPECT_EQ(events[2].reference, "ref");
  EXPECT_EQ(events[2].sale_id, "s");
  EXPECT_EQ(events[2].amount, 1'000);
}

TYPED_TEST_P(EngineContract, ForgetsADeletedSaleAndNeverGivesItsHandleAgain) {
  this->create(terms_of("s", 4));
  const ReservationRef ref = this->reserve("a").ref;
  EXPECT_EQ(this->ask(DeleteSale{"s"}).outcome, Outcome::sale_active);
  this->ask(Cancel{ref});
  PatchSale close;
  close.sale = "s";
  close.state = PatchSale::State::closed;
  this->ask(close);
  EXPECT_EQ(this->ask(DeleteSale{"s"}).outcome, Outcome::done);
  EXPECT_EQ(this->ask(GetSale{"s"}).outcome, Outcome::sale_not_found);
  this->harness.reopen();
  EXPECT_EQ(this->ask(GetReservation{ref}).outcome, Outcome::reservation_not_found);
  EXPECT_EQ(this->ask(AuditSale{"s"}).outcome, Outcome::sale_not_found);
  EXPECT_GT(this->ask(CreateSale{terms_of("s", 1)}).sale.handle, ref.sale);
}

TYPED_TEST_P(EngineContract, LetsACompletionSubmitAgain) {
  struct Repeats final : Asked {
    void completed() noexcept override {
      if (--left == 0) {
        done = true;
      } else {
        engine->submit(*this);
      }
    }
    Engine* engine = nullptr;
    int left = 3;
  };
  this->create(terms_of("s", 5));
  Repeats repeats;
  repeats.engine = &this->harness.engine();
  repeats.command = Reserve{"s", "a", 1, {}, {}};
  this->harness.engine().submit(repeats);
  this->harness.finish(repeats);
  EXPECT_EQ(this->ask(GetSale{"s"}).sale.held, 3);
}

TYPED_TEST_P(EngineContract, DeliversEveryEventOnceAlsoAfterARestart) {
  this->create(terms_of("s", 4));
  const ReservationRef a = this->reserve("a", 2).ref;
  this->ask(Confirm{a, "paid"});
  this->ask(Cancel{this->reserve("b").ref});
  const SaleHandle stream = this->stream();
  EXPECT_EQ(this->ask(FindUndelivered{}).events, 5U);
  const std::vector<EventView> events = this->deliver_all(stream, 3);
  ASSERT_EQ(events.size(), 3U) << "those that leave the house";
  for (std::uint64_t i = 1; i < events.size(); ++i) EXPECT_GT(events[i].sequence, events[i - 1].sequence);
  EXPECT_EQ(events[0].type, EventType::sale_created);
  EXPECT_EQ(events[1].type, EventType::reservation_confirmed);
  EXPECT_EQ(events[1].sale_sequence, 3U);
  EXPECT_EQ(events[1].ref, a);
  EXPECT_EQ(events[1].customer, "a");
  EXPECT_EQ(events[1].amount, 2'000);
  EXPECT_EQ(events[1].payment, (Payment{"paid", {}}));
  EXPECT_EQ(events[2].type, EventType::reservation_cancelled);
  EXPECT_FALSE(events[2].payment);
  this->harness.reopen();
  EXPECT_TRUE(this->ask(FindUndelivered{}).streams.empty());
  this->reserve("c");
  const OutboxAnswer rest = this->ask(ReadOutbox{stream});
  EXPECT_GT(rest.upto, 0U);
  ASSERT_EQ(rest.levels.size(), 1U) << "a hold is told of by the stock that it leaves";
  EXPECT_EQ(rest.levels[0].sale_id, "s");
  EXPECT_EQ(rest.levels[0].version, 6U);
  EXPECT_EQ(rest.levels[0].stock, 4);
  EXPECT_EQ(rest.levels[0].held, 1);
  EXPECT_EQ(rest.levels[0].sold, 2);
  EXPECT_EQ(rest.levels[0].available, 1);
}

TYPED_TEST_P(EngineContract, MovesItsWatermarkOnlyForwardAndNeverPastTheEnd) {
  SaleTerms terms = terms_of("s", 4);
  terms.hold = Milliseconds{0};  // confirmed at once: each of these events leaves the house
  this->create(terms);
  for (const std::string_view customer : {"a", "b", "c"}) this->reserve(customer);
  const SaleHandle stream = this->stream();
  const std::uint64_t half = this->ask(ReadOutbox{stream, 2}).upto;
  EXPECT_EQ(this->ask(DeliverEvents{stream, half, 1}).outcome, Outcome::done);
  EXPECT_EQ(this->ask(DeliverEvents{stream, half, 1}).outcome, Outcome::unchanged);
  const DeliveredAnswer back = this->ask(DeliverEvents{stream, half - 1, 1});
  EXPECT_EQ(back.outcome, Outcome::unchanged);
  EXPECT_EQ(back.upto, half);
  const OutboxAnswer rest = this->ask(ReadOutbox{stream});
  EXPECT_EQ(rest.items.size(), 2U);
  EXPECT_EQ(this->ask(DeliverEvents{stream, rest.upto + 1'000, 1}).upto, rest.upto);
  EXPECT_EQ(this->ask(ReadOutbox{stream}).upto, 0U);
  this->reserve("d");
  EXPECT_EQ(this->ask(ReadOutbox{stream}).items.size(), 1U) << "it was delivered before it happened";
}

TYPED_TEST_P(EngineContract, TellsTheStreamOfWhatItHasWritten) {
  struct Told {
    std::atomic<int> times = 0;
    std::atomic<SaleHandle> stream{};
  };
  const auto told = std::make_shared<Told>();  // the engine lives longer than this test
  this->harness.engine().on_events([told](SaleHandle stream) {
    told->stream = stream;
    ++told->times;
  });
  this->create(terms_of("s", 1));
  const int created = told->times;
  EXPECT_GE(created, 1);
  this->reserve("a");
  const int reserved = told->times;
  EXPECT_GT(reserved, created);
  EXPECT_EQ(this->reserve("b").outcome, Outcome::sold_out_holds_pending);
  EXPECT_EQ(told->times, reserved) << "a refusal is no event";
  EXPECT_EQ(told->stream.load(), this->stream());
}

TYPED_TEST_P(EngineContract, SaysThatThereIsNoSuchStream) {
  this->create(terms_of("s", 1));
  const SaleHandle nobody{77};
  EXPECT_EQ(this->ask(ReadOutbox{nobody}).outcome, Outcome::sale_not_found);
  EXPECT_EQ(this->ask(DeliverEvents{nobody, 1, 1}).outcome, Outcome::sale_not_found);
}

TYPED_TEST_P(EngineContract, TellsTheEventsOfOneSaleInPages) {
  this->create(terms_of("other", 1));
  this->create(terms_of("s", 9));
  for (const std::string_view customer : {"a", "b", "c", "d"}) this->reserve(customer);
  std::vector<EventView> events;
  for (std::uint64_t after = 0;;) {
    const EventsAnswer page = this->ask(ReadEvents{"s", after, 2});
    EXPECT_EQ(page.oldest, 1U);
    events.insert(events.end(), page.items.begin(), page.items.end());
    if (page.next <= after) break;
    after = page.next;
  }
  ASSERT_EQ(events.size(), 5U);
  for (std::uint64_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sale_id, "s");
    EXPECT_EQ(events[i].sale_sequence, i + 1);
  }
  EXPECT_EQ(this->ask(ReadEvents{"nobody-knows"}).outcome, Outcome::sale_not_found);
}

REGISTER_TYPED_TEST_SUITE_P(EngineContract, SellsTheStockAndNotOneMore, DecidesThoseThatWaitTogetherInTheirOrder,
                            GivesTheSameKeyTheSameAnswerAlsoAfterARestart, EndsAHoldWhenItSaysSo, ChargesAHoldOnce,
                            AuditsASaleThatAddsUp, TellsEveryEventOnceAndInOrder,
                            ForgetsADeletedSaleAndNeverGivesItsHandleAgain, LetsACompletionSubmitAgain,
                            DeliversEveryEventOnceAlsoAfterARestart, MovesItsWatermarkOnlyForwardAndNeverPastTheEnd,
                            TellsTheStreamOfWhatItHasWritten, SaysThatThereIsNoSuchStream,
                            TellsTheEventsOfOneSaleInPages);

}  // namespace firstcome::test
