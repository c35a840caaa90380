// Kafka URLs: what is taken, and which member is wrong in what is not.
#include "net/kafka/url.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace firstcome::net {
namespace {

using Transport = KafkaUrl::Transport;

std::string refusal(std::string_view text) {
  const auto url = parse_kafka_url(text);
  return url ? "accepted" : url.error();
}

TEST(KafkaUrl, NamesBrokersWithTheirPorts) {
  EXPECT_EQ(parse_kafka_url("kafka://localhost"), (KafkaUrl{.brokers = "localhost:9092"}));
  EXPECT_EQ(parse_kafka_url("kafka://a:1,b.c-d_e,[::1]:3,[fe80::1]/"),
            (KafkaUrl{.brokers = "a:1,b.c-d_e:9092,[::1]:3,[fe80::1]:9092"}));
  EXPECT_EQ(parse_kafka_url("kafkas://a:65535"), (KafkaUrl{.transport = Transport::tls, .brokers = "a:65535"}));
}

TEST(KafkaUrl, HasAUserAndAPasswordPercentEncoded) {
  EXPECT_EQ(parse_kafka_url("kafka://my%40shop:s%3Ae%2fc%25@a:1"),
            (KafkaUrl{.user = "my@shop", .password = "s:e/c%", .brokers = "a:1"}));
  EXPECT_EQ(parse_kafka_url("kafkas://u:p:@:q@a:1"),
            (KafkaUrl{.transport = Transport::tls, .user = "u", .password = "p:@:q", .brokers = "a:1"}));
}

TEST(KafkaUrl, HasParameters) {
  using Mechanism = KafkaUrl::Mechanism;
  EXPECT_EQ(parse_kafka_url("kafka://u:p@a:1?mechanism=SCRAM-SHA-256"),
            (KafkaUrl{.user = "u", .password = "p", .brokers = "a:1", .mechanism = Mechanism::scram_sha_256}));
  EXPECT_EQ(parse_kafka_url("kafkas://u:p@a:1/?mechanism=SCRAM-SHA-512&ca=/a%20b@c.pem"),
            (KafkaUrl{.transport = Transport::tls,
                      .user = "u",
                      .password = "p",
                      .brokers = "a:1",
                      .mechanism = Mechanism::scram_sha_512,
                      .ca_file = "/a b@c.pem"}));
  EXPECT_EQ(
      parse_kafka_url("kafkas://a:1?certificate=c.pem&key=k.pem"),
      (KafkaUrl{.transport = Transport::tls, .brokers = "a:1", .certificate_file = "c.pem", .key_file = "k.pem"}));
  EXPECT_EQ(refusal("kafka://u:p@a?mechanism=MD5"),
            "Kafka URL: mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not \"MD5\"");
  EXPECT_EQ(refusal("kafka://a?mechanism=PLAIN"), "Kafka URL: mechanism needs a user");
  EXPECT_EQ(refusal("kafka://a?ca=x"), "Kafka URL: ca needs kafkas://");
  EXPECT_EQ(refusal("kafkas://a?key=x"), "Kafka URL: certificate and key must be given together");
  EXPECT_EQ(refusal("kafkas://a?ca="), "Kafka URL: ca must have a value, percent-encoded");
  EXPECT_EQ(refusal("kafkas://a?ca=a&ca=b"), "Kafka URL: ca must not be given twice");
}

TEST(KafkaUrl, ReadsThePasswordFromAFile) {
  const firstcome::testing::TemporaryFolder folder;
  const std::string file = (folder.path() / "password").string();
  EXPECT_THAT(refusal("kafka://shop@a?password_file=" + file), ::testing::HasSubstr("must be a file whose first line"));
  std::ofstream(file) << "se:c%ret\nmore\n";
  const auto url = parse_kafka_url("kafka://my%40shop@a:1?password_file=" + file);
  EXPECT_EQ(url, (KafkaUrl{.user = "my@shop", .password = "se:c%ret", .brokers = "a:1"}));
  EXPECT_EQ(refusal("kafka://shop:x@a?password_file=" + file),
            "Kafka URL: password must not be given beside a password_file");
  EXPECT_EQ(refusal("kafka://a?password_file=" + file), "Kafka URL: password_file needs a user before an @");
}

TEST(KafkaUrl, IsShownWithoutThePassword) {
  EXPECT_EQ(to_string(parse_kafka_url("kafkas://shop:secret@a,b:2").value()), "kafkas://shop:***@a:9092,b:2");
  EXPECT_EQ(to_string(parse_kafka_url("kafka://a").value()), "kafka://a:9092");
}

TEST(KafkaUrl, SaysWhichMemberIsWrong) {
  EXPECT_EQ(refusal(""), "Kafka URL: scheme must be kafka:// or kafkas://");
  EXPECT_EQ(refusal("redis://a"), "Kafka URL: scheme must be kafka:// or kafkas://");
  EXPECT_EQ(refusal("a:9092"), "Kafka URL: scheme must be kafka:// or kafkas://");
  const std::string host = "Kafka URL: host must be a name, an address, or an IPv6 address in brackets, not ";
  EXPECT_EQ(refusal("kafka://"), host + "\"\"");
  EXPECT_EQ(refusal("kafka://a,"), host + "\"\"");
  EXPECT_EQ(refusal("kafka://a b"), host + "\"a b\"");
  EXPECT_EQ(refusal("kafka://[::1"), host + "\"[::1\"");
  EXPECT_EQ(refusal("kafka://[a]:1"), host + "\"[a]\"");
  EXPECT_EQ(refusal("kafka://a:1,a:1"), "Kafka URL: host must not be named twice: a:1");
  for (const std::string port : {"0", "65536", "", "x", "-1", "1x"}) {
    EXPECT_EQ(refusal("kafka://a:" + port), "Kafka URL: port must be a number from 1 to 65535, not \"" + port + "\"");
  }
  EXPECT_THAT(refusal("kafka://a/topic"), ::testing::HasSubstr("without a path"));
  EXPECT_THAT(refusal("kafka://a?x=1"), ::testing::HasSubstr("parameter x is not known; there are mechanism"));
}

TEST(KafkaUrl, SaysWhatIsWrongWithAUserAndNeverShowsThePassword) {
  EXPECT_EQ(refusal("kafka://secret@a"),
            "Kafka URL: user must be followed by a colon and the password, as in user:password@");
  EXPECT_EQ(refusal("kafka://:secret@a"), "Kafka URL: user must not be empty where the URL has an @");
  EXPECT_EQ(refusal("kafka://shop:@a"), "Kafka URL: password must not be empty where the URL has an @");
  EXPECT_EQ(refusal("kafka://shop:%zz@a"),
            "Kafka URL: password must be percent-encoded: a % stands before two hexadecimal digits");
  EXPECT_EQ(refusal("kafka://%4:secret@a"),
            "Kafka URL: user must be percent-encoded: a % stands before two hexadecimal digits");
  EXPECT_EQ(refusal("kafka://shop:a%00b@a"), "Kafka URL: user and password must not hold %00");
  EXPECT_THAT(refusal("kafka://shop:secret@a:0"), ::testing::Not(::testing::HasSubstr("secret")));
}

}  // namespace
}  // namespace firstcome::net
