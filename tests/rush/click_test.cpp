#include "rush/click.hpp"

#include <gtest/gtest.h>

namespace firstcome::rush {
namespace {

using Do = Click::Do;
using State = ReservationState;

Reply refusal(unsigned status, std::string code, std::optional<int> retry_after_s = std::nullopt) {
  Reply reply;
  reply.kind = Reply::Kind::answered;
  reply.status = status;
  reply.code = std::move(code);
  if (retry_after_s) reply.retry_after = std::chrono::seconds{*retry_after_s};
  return reply;
}

Reply reservation(State state, std::optional<int> retry_after_s = std::nullopt) {
  Reply reply = refusal(state == State::queued ? 202 : 201, "", retry_after_s);
  ReservationSeen& seen = reply.reservation.emplace();
  seen.id = "r1";
  seen.number = seen.quantity = 1;
  seen.state = state;
  return reply;
}

Reply silence() { return Reply{}; }

Told told_by(Keyed keyed) {
  Told told;
  told.customer = told.request = 1;
  told.keyed = keyed;
  return told;
}

/// A click that is told one thing after the other, a second between them.
class Talk {
 public:
  explicit Talk(Then then, Keyed keyed = Keyed::yes) : click_(told_by(keyed), then) {}

  Talk& hears(const Reply& reply) {
    now_ += std::chrono::seconds{1};
    click_.heard(reply, now_, now_ + std::chrono::milliseconds{1});
    return *this;
  }
  Talk& locks_first() {
    click_.lock_first();
    return *this;
  }
  Do next() const { return click_.next().what; }
  Milliseconds after() const { return click_.next().after; }
  const Told& told() const { return click_.told(); }

 private:
  Click click_;
  Moment now_{};
};

TEST(Click, AsksFirst) { EXPECT_EQ(Talk(Then::pay).next(), Do::reserve); }

TEST(Click, AsksOnceItHasItsCustomersLock) {
  Talk talk(Then::pay);
  EXPECT_EQ(talk.locks_first().next(), Do::lock);
  EXPECT_EQ(talk.hears(refusal(503, "overloaded", 1)).next(), Do::lock);
  EXPECT_EQ(talk.hears(refusal(200, "")).next(), Do::reserve);
  EXPECT_EQ(talk.hears(reservation(State::confirmed)).next(), Do::nothing);
  EXPECT_EQ(talk.told().word, Word::yes);
}

TEST(Click, IsRefusedWhereAnotherClickHasTheLock) {
  Talk talk(Then::pay);
  EXPECT_EQ(talk.locks_first().hears(refusal(409, "locked", 1)).next(), Do::nothing);
  EXPECT_EQ(talk.told().word, Word::no);
}

TEST(Click, PaysWhatIsHeld) {
  Talk talk(Then::pay);
  EXPECT_EQ(talk.hears(reservation(State::held)).next(), Do::pay);
  EXPECT_EQ(talk.hears(reservation(State::confirmed)).next(), Do::nothing);
  EXPECT_EQ(talk.told().word, Word::yes);
  EXPECT_EQ(talk.told().state, State::confirmed);
}

TEST(Click, NeverPaysWhereItsCustomerLeaves) {
  Talk talk(Then::leave);
  EXPECT_EQ(talk.hears(reservation(State::queued, 1)).next(), Do::look);
  EXPECT_EQ(talk.hears(reservation(State::held)).next(), Do::nothing);
  EXPECT_EQ(talk.told().state, State::held);
  EXPECT_TRUE(talk.told().waited);
}

TEST(Click, WatchesWhatTheShopCharges) {
  Talk talk(Then::watch);
  EXPECT_EQ(talk.hears(reservation(State::held)).next(), Do::look);
  EXPECT_EQ(talk.hears(reservation(State::confirmed)).next(), Do::nothing);
}

TEST(Click, LooksAsOftenAsItIsTold) {
  Talk talk(Then::pay);
  talk.hears(reservation(State::queued, 3));
  EXPECT_EQ(talk.next(), Do::look);
  EXPECT_EQ(talk.after(), std::chrono::seconds{3});
}

TEST(Click, ObeysRetryAfterUntilTheAnswerIsFinal) {
  Talk talk(Then::pay);
  talk.hears(refusal(409, "sold-out-holds-pending", 2));
  EXPECT_EQ(talk.next(), Do::reserve);
  EXPECT_EQ(talk.after(), std::chrono::seconds{2});
  EXPECT_EQ(talk.told().word, Word::again);
  talk.hears(refusal(503, "overloaded", 1));
  EXPECT_EQ(talk.next(), Do::reserve);
  talk.hears(refusal(410, "sold-out"));
  EXPECT_EQ(talk.next(), Do::nothing);
  EXPECT_EQ(talk.told().word, Word::no);
  EXPECT_EQ(talk.told().code, "sold-out");
  EXPECT_EQ(talk.told().unsure, 0U);
}

TEST(Click, AsksAgainAfterAnUnknownOutcome) {
  for (const Reply& unknown : {silence(), refusal(503, "outcome-unknown"), refusal(500, "internal")}) {
    Talk talk(Then::stop);
    talk.hears(unknown);
    EXPECT_EQ(talk.next(), Do::reserve);
    EXPECT_EQ(talk.told().unsure, 1U);
    EXPECT_EQ(talk.hears(reservation(State::held)).next(), Do::nothing);
    EXPECT_EQ(talk.told().unsure, 0U) << "the same key: it was this reservation";
    EXPECT_EQ(talk.told().sent_at, std::chrono::seconds{1}) << "the first attempt may have made it";
  }
}

TEST(Click, StaysUnsureOfAttemptsWithoutAKey) {
  Talk talk(Then::stop, Keyed::no);
  talk.hears(silence()).hears(silence()).hears(reservation(State::held));
  EXPECT_EQ(talk.told().unsure, 2U);
}

TEST(Click, IsSentWhenItIsSentAgainAfterANo) {
  Talk talk(Then::stop);
  talk.hears(refusal(409, "sold-out-holds-pending", 1)).hears(reservation(State::held));
  EXPECT_EQ(talk.told().sent_at, std::chrono::seconds{2});
}

TEST(Click, WaitsLongerEachTimeNobodyAnswers) {
  Talk talk(Then::pay);
  Milliseconds first = talk.hears(silence()).after();
  Milliseconds second = talk.hears(silence()).after();
  for (int i = 0; i < 100; ++i) talk.hears(silence());
  EXPECT_LT(first, second);
  EXPECT_EQ(talk.after(), std::chrono::seconds{1});
}

TEST(Click, ADeclinedPaymentIsTheEnd) {
  Talk talk(Then::pay);
  talk.hears(reservation(State::held)).hears(refusal(402, "payment-failed"));
  EXPECT_EQ(talk.next(), Do::nothing);
  EXPECT_EQ(talk.told().state, State::cancelled);
}

TEST(Click, ALatePaymentIsTheEnd) {
  Talk talk(Then::pay);
  talk.hears(reservation(State::held)).hears(refusal(410, "hold-expired"));
  EXPECT_EQ(talk.next(), Do::nothing);
  EXPECT_EQ(talk.told().state, State::expired);
  EXPECT_FALSE(talk.told().charge_open);
}

TEST(Click, PaysAgainWhereThePaymentsOutcomeIsUnknown) {
  Talk talk(Then::pay);
  EXPECT_EQ(talk.hears(reservation(State::held)).hears(silence()).next(), Do::pay);
  EXPECT_TRUE(talk.told().charge_open);
  EXPECT_EQ(talk.hears(refusal(409, "request-in-progress")).next(), Do::look);
  EXPECT_EQ(talk.hears(reservation(State::confirmed)).next(), Do::nothing);
}

TEST(Click, PaysAgainWhereTheGatewayIsAway) {
  Talk talk(Then::pay);
  talk.hears(reservation(State::held)).hears(refusal(503, "gateway-unavailable", 1));
  EXPECT_EQ(talk.next(), Do::pay);
  EXPECT_EQ(talk.after(), std::chrono::seconds{1});
}

TEST(Click, EndsWhereItsReservationIsGone) {
  Talk talk(Then::pay);
  talk.hears(reservation(State::queued, 1)).hears(refusal(404, "reservation-not-found"));
  EXPECT_EQ(talk.next(), Do::nothing);
  EXPECT_EQ(talk.told().word, Word::waiting);
  EXPECT_EQ(talk.told().reservation, "r1");
}

TEST(Click, TheSecondOfTwoOnlyAsks) {
  EXPECT_EQ(Talk(Then::stop).hears(reservation(State::queued, 1)).next(), Do::nothing);
  EXPECT_EQ(Talk(Then::stop).hears(reservation(State::held)).next(), Do::nothing);
}

TEST(Click, IsSureWhereTheSameKeyIsFinallyRefused) {
  Talk keyed(Then::pay);
  EXPECT_EQ(keyed.hears(silence()).told().unsure, 1U);
  EXPECT_EQ(keyed.hears(refusal(410, "sold-out")).told().unsure, 0U);
  Talk not_decided(Then::pay);
  EXPECT_EQ(not_decided.hears(silence()).hears(refusal(401, "unauthenticated")).told().unsure, 1U);
  Talk without_key(Then::pay, Keyed::no);
  EXPECT_EQ(without_key.hears(silence()).hears(refusal(410, "sold-out")).told().unsure, 1U);
}

TEST(Click, WritesDownWhenItWasToldThatItsHoldHadEnded) {
  for (const char* const code : {"hold-expired", "paid-unfulfilled"}) {
    Talk late(Then::pay);
    late.hears(reservation(State::held));
    EXPECT_FALSE(late.told().paid);
    late.hears(refusal(410, code));
    EXPECT_EQ(late.told().ended_at, Moment{std::chrono::milliseconds{2'001}}) << code;
    EXPECT_TRUE(late.told().paid);
  }
}

TEST(Click, DoesNotKnowWhatAProxyDoesNotKnow) {
  for (const unsigned status : {500U, 502U, 504U}) {
    Talk behind_a_proxy(Then::pay);
    behind_a_proxy.hears(refusal(status, "malformed-answer"));
    EXPECT_EQ(behind_a_proxy.told().unsure, 1U) << status;
    EXPECT_EQ(behind_a_proxy.next(), Do::reserve) << status;
    EXPECT_EQ(behind_a_proxy.hears(reservation(State::confirmed)).told().unsure, 0U) << status;
  }
}

TEST(Click, WritesDownWhenItWasRefused) {
  EXPECT_EQ(Talk(Then::pay).hears(refusal(410, "sold-out")).told().refused_at,
            Moment{std::chrono::milliseconds{1'001}});
}

TEST(Click, WritesDownWhenItsUnitsSurelyWereItsOwn) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  Reply held = reservation(State::held);
  held.reservation->expires_in = milliseconds{5'000};
  Talk leaves(Then::leave);
  leaves.hears(held);  // sent at 1 s, answered 1 ms later
  EXPECT_EQ(leaves.told().held_from, Moment{milliseconds{1'001}});
  EXPECT_EQ(leaves.told().held_until, Moment{seconds{6}});
  EXPECT_EQ(leaves.told().promised_until, Moment{seconds{6}});
  Talk pays(Then::pay);
  pays.hears(held).hears(reservation(State::confirmed));
  EXPECT_EQ(pays.told().held_until, Moment{seconds{2}}) << "its payment may have failed from the moment it was sent";
  EXPECT_EQ(pays.told().confirmed_at, Moment{milliseconds{2'001}});
  Talk replayed(Then::leave);
  held.is_replay = true;  // of an answer that may be old
  EXPECT_FALSE(replayed.hears(held).told().promised_until.has_value());
  Talk watches(Then::watch);
  held.is_replay = false;
  EXPECT_EQ(watches.hears(held).told().held_until, Moment{milliseconds{1'001}}) << "the shop charges when it likes";
}

}  // namespace
}  // namespace firstcome::rush
