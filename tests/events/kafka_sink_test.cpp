// Events on a real Kafka: which topic, which key, which text.
#include "events/kafka_sink.hpp"

#include "net/kafka/reader.hpp"
#include "net/kafka/topics.hpp"
#include "support/kafka_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::events {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::KafkaServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Event event_of_reservation(EventType type, char letter, std::uint64_t sequence) {
  Event event;
  event.id = "7-" + std::to_string(sequence);
  event.type = type;
  event.sale = "ticket";
  event.sequence = sequence;
  event.reservation = std::string(engine::reservation_id_length, letter);
  event.number = Number{sequence};
  event.at = Instant{1'700'000'000'000ms};
  event.customer = "c";
  event.quantity = 1;
  event.amount = 10;
  event.currency = "EUR";
  return event;
}

Event event_of_sale(EventType type, std::uint64_t sequence) {
  Event event;
  event.id = "7-" + std::to_string(sequence);
  event.type = type;
  event.sale = "ticket";
  event.sequence = sequence;
  event.at = Instant{1'700'000'000'000ms};
  event.value = 5;
  return event;
}

KafkaSinkOptions options_of(const KafkaServer& server) {
  return {.url = net::parse_kafka_url(server.url()).value(), .prefix = "shop."};
}

/// What lies in a topic: the texts of each key.
std::map<std::string, std::vector<std::string>> texts_in(const KafkaServer& server, const std::string& topic) {
  std::map<std::string, std::vector<std::string>> texts;
  const auto read =
      net::read_topic(net::parse_kafka_url(server.url()).value(), topic,
                      [&](const net::KafkaRecord& record) { texts[record.key].push_back(record.payload); });
  EXPECT_TRUE(read) << read.error();
  return texts;
}

TEST(KafkaSink, BringsEventsByReservationAndLevelsBySale) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  KafkaSink sink(options_of(server));
  const std::vector<Event> events{event_of_sale(EventType::sale_created, 1),
                                  event_of_reservation(EventType::reservation_confirmed, 'a', 2),
                                  event_of_reservation(EventType::reservation_confirmed, 'b', 3),
                                  event_of_reservation(EventType::reservation_returned, 'a', 4)};
  const std::vector<StockLevel> levels{{.sale_id = "ticket", .version = 4, .stock = 5, .available = 4},
                                       {.sale_id = "ticket", .version = 3, .stock = 5, .available = 3},
                                       {.sale_id = "coupon", .version = 9, .stock = 7, .available = 7}};
  const auto delivered = sink.deliver(events, levels, {});
  ASSERT_TRUE(delivered) << delivered.error();

  auto orders = texts_in(server, "shop.orders");
  EXPECT_EQ(orders.size(), 3U);
  EXPECT_THAT(orders["ticket"], ElementsAre(to_json(events[0])));
  EXPECT_THAT(orders[events[1].reservation], ElementsAre(to_json(events[1]), to_json(events[3])));
  EXPECT_THAT(orders[events[2].reservation], ElementsAre(to_json(events[2])));
  auto stock = texts_in(server, "shop.stock");
  EXPECT_THAT(stock["ticket"], ElementsAre(to_json(levels[0])));
  EXPECT_THAT(stock["coupon"], ElementsAre(to_json(levels[2])));

  EXPECT_EQ(sink.left_behind(), "");
  const auto nothing = sink.deliver({}, {}, {});
  EXPECT_TRUE(nothing) << nothing.error();
  KafkaSink other(options_of(server));
  const auto again = other.deliver(std::span(events).first(1), {}, {});
  EXPECT_TRUE(again) << "the topics are there already: " << again.error();

  KafkaSink stranger({.url = net::parse_kafka_url(server.url_with_password("wrong")).value()});
  const auto refused = stranger.deliver(events, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("authentication failed"));
}

// What is in stock is only told; events become orders.
TEST(KafkaSink, BringsEventsAlthoughTheTopicOfStockTakesNothing) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  // The topic refuses whatever is longer than this.
  const std::array topics{net::KafkaTopic{"shop.stock", 1, {{"max.message.bytes", "40"}}}};
  const auto url = net::parse_kafka_url(server.url()).value();
  ASSERT_TRUE(net::ensure_topics(url, topics, 30s));
  KafkaSink sink(options_of(server));
  const std::array events{event_of_reservation(EventType::reservation_confirmed, 'a', 2)};
  const std::array levels{StockLevel{.sale_id = "ticket", .version = 4, .stock = 5, .available = 4}};
  const auto delivered = sink.deliver(events, levels, {});
  ASSERT_TRUE(delivered) << delivered.error();
  EXPECT_EQ(texts_in(server, "shop.orders").size(), 1U);
  EXPECT_THAT(sink.left_behind(), HasSubstr("shop.stock"));
}

TEST(KafkaSink, SaysThatNobodyIsThereAndBringsTheSameLater) {
  FIRSTCOME_NEEDS_KAFKA();
  KafkaServer server;
  KafkaSinkOptions options = options_of(server);
  options.patience = 2s;
  KafkaSink sink(options);
  const std::array first{event_of_reservation(EventType::reservation_confirmed, 'a', 1)};
  const std::array second{event_of_reservation(EventType::reservation_returned, 'a', 2)};
  ASSERT_TRUE(sink.deliver(first, {}, {}));
  server.kill();
  const auto away = sink.deliver(second, {}, {});
  ASSERT_FALSE(away);
  EXPECT_THAT(away.error(), HasSubstr(" be reached"));
  server.start();
  EXPECT_TRUE(firstcome::testing::eventually([&] { return sink.deliver(second, {}, {}).has_value(); }, 60s));
  auto orders = texts_in(server, "shop.orders");
  const auto& texts = orders[first[0].reservation];
  ASSERT_GE(texts.size(), 2U);
  EXPECT_EQ(texts.front(), to_json(first[0]));
  EXPECT_EQ(texts.back(), to_json(second[0]));
}

}  // namespace
}  // namespace firstcome::events
