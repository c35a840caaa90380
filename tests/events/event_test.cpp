// Events as JSON: what is written is read again, and what is not an event is refused with the member and the rule.
#include "events/event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::events {
namespace {

using namespace std::chrono_literals;

Event confirmed() {
  Event event;
  event.id = "7-42";
  event.type = EventType::reservation_confirmed;
  event.sale = "ticket";
  event.sequence = 42;
  event.reservation = std::string(engine::reservation_id_length, 'r');
  event.number = Number{12};
  event.reference = "my \"order\"";
  event.at = Instant{1'700'000'000'123ms};
  event.customer = "c-1 ü";
  event.quantity = 2;
  event.amount = 20'000;
  event.currency = "KRW";
  event.payment = Payment{"p-1", "110-1"};
  return event;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

std::string refusal(const std::string& text) {
  const auto event = event_from_json(text);
  return event ? "accepted" : event.error();
}

TEST(Event, IsReadAsItWasWritten) {
  EXPECT_EQ(event_from_json(to_json(confirmed())), confirmed());
  Event without = confirmed();
  without.payment.reset();
  without.reference.clear();
  EXPECT_EQ(event_from_json(to_json(without)), without);
  Event elsewhere = confirmed();
  elsewhere.payment->account_number.clear();
  EXPECT_EQ(event_from_json(to_json(elsewhere)), elsewhere);
}

TEST(Event, OfASaleHasNoReservation) {
  Event changed;
  changed.id = "7-3";
  changed.type = EventType::stock_changed;
  changed.sale = "ticket";
  changed.sequence = 3;
  changed.at = Instant{1ms};
  changed.value = 500;
  EXPECT_EQ(event_from_json(to_json(changed)), changed);
}

TEST(Event, OfItsOwnVersionMayHaveMoreMembers) {
  EXPECT_EQ(event_from_json(replaced(to_json(confirmed()), "{\"version\"", "{\"later\":[1,{}],\"version\"")),
            confirmed());
}

TEST(Event, ThatIsNoneIsRefusedWithTheMemberAndTheRule) {
  const std::string good = to_json(confirmed());
  EXPECT_THAT(refusal(good.substr(0, good.size() - 1)), ::testing::HasSubstr("not JSON"));
  EXPECT_THAT(refusal("[]"), ::testing::HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(replaced(good, "\"version\":1", "\"version\":2")),
              ::testing::HasSubstr("version 2 is later than 1"));
  EXPECT_THAT(refusal(replaced(good, "\"version\":1,", "")), ::testing::HasSubstr("\"version\""));
  EXPECT_THAT(refusal(replaced(good, "reservation-confirmed", "reservation-eaten")),
              ::testing::HasSubstr("\"type\" must be a known type, not \"reservation-eaten\""));
  EXPECT_THAT(refusal(replaced(good, "\"sequence\":42", "\"sequence\":0")), ::testing::HasSubstr("\"sequence\""));
  EXPECT_THAT(refusal(replaced(good, "rrrr", "rrr")), ::testing::HasSubstr("\"reservation\""));
  EXPECT_THAT(refusal(replaced(good, "\"quantity\":2", "\"quantity\":\"2\"")),
              ::testing::HasSubstr("\"body.quantity\""));
  EXPECT_THAT(refusal(replaced(good, "\"at\":\"2023", "\"at\":\"last")), ::testing::HasSubstr("\"at\""));
  EXPECT_THAT(refusal(replaced(good, "{\"id\":\"p-1\"", "{\"id\":1")), ::testing::HasSubstr("\"body.payment.id\""));
  EXPECT_THAT(refusal(replaced(good, "c-1", std::string(200, 'c'))), ::testing::HasSubstr("\"body.customer\""));
  EXPECT_THAT(refusal(good + std::string(event_bytes, ' ')), ::testing::HasSubstr("more than an event may have"));
}

TEST(Event, EveryTypeHasAWord) {
  for (int type = 1; type < 64; ++type) {
    const auto known = static_cast<EventType>(type);
    if (word(known) == "unknown") continue;
    EXPECT_EQ(event_type_of(word(known)), known);
  }
  EXPECT_FALSE(event_type_of("unknown"));
}

}  // namespace
}  // namespace firstcome::events
