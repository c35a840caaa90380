// What was said to be sent lies in Kafka, whatever happened to the broker meanwhile.
#include "net/kafka/producer.hpp"

#include "net/kafka/broker.hpp"
#include "support/certificates.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace firstcome::net::kafka_tests {
namespace {

using firstcome::testing::eventually;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::map<std::string, std::vector<int>> numbers_by_key(const std::vector<KafkaRecord>& records) {
  std::map<std::string, std::vector<int>> numbers;
  for (const KafkaRecord& record : records) numbers[record.key].push_back(std::stoi(record.payload));
  return numbers;
}

TEST(KafkaTopics, AreNotWaitedForAfterAStop) {
  const auto nowhere = url_of("kafka://127.0.0.1:" + std::to_string(firstcome::testing::free_port()));
  const std::array wanted{KafkaTopic{.name = "t"}, KafkaTopic{.name = "u"}};
  std::stop_source process;
  process.request_stop();
  const auto began = std::chrono::steady_clock::now();
  const auto made = ensure_topics(nowhere, wanted, 10min, process.get_token());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), "stopped");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5 * 1s);
}

TEST(KafkaProducer, DeliversAllInTheOrderOfTheirKeys) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "many", 6);
  KafkaProducer producer(url_of(server.url()));
  const Numbered sent("many", 0, 30'000, 100);
  const auto all = producer.send_all(sent.messages, within(30s), {});
  ASSERT_TRUE(all) << all.error();
  EXPECT_EQ(producer.sent(), 30'000U);

  const auto records = all_of(server, "many");
  ASSERT_EQ(records.size(), 30'000U);
  std::set<std::int32_t> partitions;
  for (const KafkaRecord& record : records) partitions.insert(record.partition);
  EXPECT_EQ(partitions.size(), 6U) << "keys are spread over the partitions";
  for (const auto& [key, numbers] : numbers_by_key(records)) {
    EXPECT_EQ(numbers.size(), 300U) << key;
    EXPECT_TRUE(std::ranges::is_sorted(numbers)) << key;
  }
}

TEST(KafkaProducer, SaysWhatIsWrongWithAMessageAndGoesOn) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "small");
  KafkaProducer producer(url_of(server.url()), {.most_message_bytes = 2'000});
  const auto refusal = [&](std::string_view topic, const std::string& payload) {
    const std::array one{KafkaMessage{topic, "k", payload}};
    const auto sent = producer.send_all(one, within(20s), {});
    return sent ? "sent" : sent.error();
  };
  EXPECT_EQ(refusal("small", std::string(3'000, 'x')),
            "Kafka, topic small: the message is too large, 3001 bytes with at most 2000");
  EXPECT_EQ(refusal("nowhere", "1"), "Kafka, topic nowhere: the topic or partition does not exist");
  EXPECT_EQ(refusal("a b", "1"), "Kafka, topic a b: this is no name of a topic");
  EXPECT_EQ(refusal("small", "1"), "sent");
  make_topic(server, "nowhere");
  EXPECT_EQ(refusal("nowhere", "1"), "sent") << "that it was not there is not remembered";
  EXPECT_EQ(all_of(server, "small").size(), 1U);
}

/// The broker's own limit is lower than ours.
TEST(KafkaProducer, SaysThatTheBrokerFindsAMessageTooLarge) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server({.lines = {"message.max.bytes=5000"}});
  make_topic(server, "small");
  KafkaProducer producer(url_of(server.url()));
  std::string noise;  // which does not become smaller when compressed
  std::minstd_rand random(7);
  for (int i = 0; i < 20'000; ++i) noise.push_back(static_cast<char>(random()));
  const std::array one{KafkaMessage{"small", "k", noise}};
  const auto sent = producer.send_all(one, within(20s), {});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error(), "Kafka, topic small: the message is too large");
  const std::array other{KafkaMessage{"small", "k", "1"}};
  const auto second = producer.send_all(other, within(20s), {});
  EXPECT_TRUE(second) << second.error();
}

TEST(KafkaProducer, IsRefusedWithAWrongPasswordAndTakenWithTheRightOne) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t");
  const std::array one{KafkaMessage{"t", "k", "1"}};
  KafkaProducer stranger(url_of(server.url_with_password("wrong")));
  const auto refused = stranger.send_all(one, within(60s), {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("Kafka: authentication failed"));
  KafkaProducer shop(url_of(server.url_with_password()));
  const auto sent = shop.send_all(one, within(30s), {});
  EXPECT_TRUE(sent) << sent.error();
  EXPECT_EQ(all_of(server, "t").size(), 1U);
}

TEST(KafkaProducer, SpeaksTlsWithBrokersWhoseCertificateItCanCheck) {
  FIRSTCOME_NEEDS_KAFKA();
  const firstcome::testing::TemporaryFolder folder;
  const firstcome::testing::CertificateAuthority authority(folder.path(), "ours");
  const firstcome::testing::CertificateAuthority other(folder.path(), "others");
  const auto certificate = authority.sign("broker", "IP:127.0.0.1");
  const KafkaServer server({.tls = {{.certificate = certificate.file, .key = certificate.key_file}}});
  make_topic(server, "t");
  const std::array one{KafkaMessage{"t", "k", "1"}};
  KafkaUrl url = url_of(server.tls_url());
  url.ca_file = authority.file();
  KafkaProducer trusting(url);
  const auto sent = trusting.send_all(one, within(30s), {});
  EXPECT_TRUE(sent) << sent.error();
  url.ca_file = other.file();
  KafkaProducer distrustful(url);
  const auto refused = distrustful.send_all(one, within(2s), {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("TLS failed"));
  url.ca_file = "/nowhere.pem";
  EXPECT_THROW(KafkaProducer{url}, std::runtime_error);
}

TEST(KafkaProducer, SaysWhoItIsWithTheMechanismOfItsUrl) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t");
  server.add_scram_user("scram-shop", "secret");
  const std::array one{KafkaMessage{"t", "k", "1"}};
  const auto url = [&](const std::string& password, const std::string& mechanism) {
    return url_of(server.url_of_user("scram-shop", password) + "?mechanism=" + mechanism);
  };
  for (const char* mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    KafkaProducer stranger(url("wrong", mechanism));
    const auto refused = stranger.send_all(one, within(60s), {});
    ASSERT_FALSE(refused) << mechanism;
    EXPECT_THAT(refused.error(), HasSubstr("Kafka: authentication failed")) << mechanism;
    KafkaProducer shop(url("secret", mechanism));
    const auto sent = shop.send_all(one, within(30s), {});
    EXPECT_TRUE(sent) << mechanism << ": " << sent.error();
  }
  EXPECT_EQ(all_of(server, "t").size(), 2U);
}

TEST(KafkaProducer, ShowsItsCertificateToBrokersThatAskForOne) {
  FIRSTCOME_NEEDS_KAFKA();
  const firstcome::testing::TemporaryFolder folder;
  const firstcome::testing::CertificateAuthority authority(folder.path(), "ours");
  const auto of_broker = authority.sign("broker", "IP:127.0.0.1");
  const auto of_shop = authority.sign("shop", "DNS:shop");
  const KafkaServer server(
      {.lines = {"listener.name.tls.ssl.client.auth=required", "listener.name.tls.ssl.truststore.type=PEM",
                 "listener.name.tls.ssl.truststore.location=" + authority.file()},
       .tls = {{.certificate = of_broker.file, .key = of_broker.key_file}}});
  make_topic(server, "t");
  const std::array one{KafkaMessage{"t", "k", "1"}};
  KafkaProducer nobody(url_of(server.tls_url() + "?ca=" + authority.file()));
  EXPECT_FALSE(nobody.send_all(one, within(3s), {})) << "it shows none";
  KafkaProducer shop(url_of(server.tls_url() + "?ca=" + authority.file() + "&certificate=" + of_shop.file +
                            "&key=" + of_shop.key_file));
  const auto sent = shop.send_all(one, within(30s), {});
  EXPECT_TRUE(sent) << sent.error();
}

TEST(KafkaProducer, EndsInTimeWhereNobodyAnswers) {
  const auto nowhere = "kafka://127.0.0.1:" + std::to_string(firstcome::testing::free_port());
  KafkaProducer producer(url_of(nowhere));
  const std::array one{KafkaMessage{"t", "k", "1"}};
  const auto began = std::chrono::steady_clock::now();
  const auto sent = producer.send_all(one, within(500ms), {});
  ASSERT_FALSE(sent);
  EXPECT_THAT(sent.error(), AllOf(HasSubstr("did not acknowledge in time: "), HasSubstr(" be reached")));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);

  std::stop_source stop;
  stop.request_stop();
  const auto stopped = producer.send_all(one, within(60s), stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error(), "stopped");
}

/// Repeats until it succeeds, as the relay does. How often it failed.
int send_until_sent(KafkaProducer& producer, const Numbered& numbered, std::chrono::milliseconds each) {
  for (int failures = 0; failures < 100; ++failures) {
    if (producer.send_all(numbered.messages, within(each), {})) return failures;
  }
  ADD_FAILURE() << "it never succeeds";
  return -1;
}

/// Nothing is lost, and what is the last of a key is its latest.
void expect_all_and_the_latest_last(const std::vector<KafkaRecord>& records, int upto, int different_keys) {
  std::set<int> seen;
  for (const KafkaRecord& record : records) seen.insert(std::stoi(record.payload));
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(upto));
  for (const auto& [key, numbers] : numbers_by_key(records)) {
    std::vector<int> last_times;  // each number at its last occurrence
    for (std::size_t i = numbers.size(); i-- > 0;) {
      if (std::ranges::find(last_times, numbers[i]) == last_times.end()) last_times.push_back(numbers[i]);
    }
    EXPECT_TRUE(std::ranges::is_sorted(last_times, std::greater{})) << key;
    EXPECT_EQ(last_times.size(), static_cast<std::size_t>(upto / different_keys)) << key;
  }
}

TEST(KafkaProducer, LosesNothingWhenTheBrokerIsKilledAgainAndAgain) {
  FIRSTCOME_NEEDS_KAFKA();
  KafkaServer server;
  make_topic(server, "kept", 2);
  std::atomic<int> batches = 0;
  std::jthread sender([&] {
    KafkaProducer producer(url_of(server.url()));
    for (int i = 0; i < 200; ++i) {
      send_until_sent(producer, Numbered("kept", i * 100, (i + 1) * 100, 50), 3s);
      ++batches;
    }
  });
  for (const int after : {40, 120}) {
    ASSERT_TRUE(eventually([&] { return batches >= after; }, 60s));
    server.kill();
    server.start();
  }
  sender.join();
  expect_all_and_the_latest_last(all_of(server, "kept"), 20'000, 50);
}

TEST(KafkaProducer, LosesNothingWhenTheBrokerStandsStill) {
  FIRSTCOME_NEEDS_KAFKA();
  KafkaServer server;
  make_topic(server, "kept", 2);
  KafkaProducer producer(url_of(server.url()));
  ASSERT_EQ(send_until_sent(producer, Numbered("kept", 0, 1'000, 50), 20s), 0);
  server.pause();
  const Numbered second("kept", 1'000, 2'000, 50);
  const auto paused = producer.send_all(second.messages, within(1s), {});
  ASSERT_FALSE(paused) << "nobody can have acknowledged it";
  EXPECT_THAT(paused.error(), HasSubstr("did not acknowledge in time"));
  server.resume();
  send_until_sent(producer, second, 20s);
  send_until_sent(producer, Numbered("kept", 2'000, 3'000, 50), 20s);
  expect_all_and_the_latest_last(all_of(server, "kept"), 3'000, 50);
}

/// A broker of the library's own making, which errors can be ordered from.
class MockCluster {
 public:
  MockCluster() : client_(quiet_client()), cluster_(rd_kafka_mock_cluster_new(client_, 1)) {
    rd_kafka_mock_topic_create(cluster_, "t", 1, 1);
  }
  ~MockCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  std::string url() const { return "kafka://" + std::string(rd_kafka_mock_cluster_bootstraps(cluster_)); }
  void answer_next_produce(rd_kafka_resp_err_t error) {
    constexpr std::int16_t produce = 0;
    rd_kafka_mock_push_request_errors(cluster_, produce, 1, error);
  }

 private:
  static rd_kafka_t* quiet_client() {
    rd_kafka_conf_t* settings = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(settings, nullptr);
    return rd_kafka_new(RD_KAFKA_PRODUCER, settings, nullptr, 0);
  }

  rd_kafka_t* client_;
  rd_kafka_mock_cluster_t* cluster_;
};

// KNOWN-BUGS 15: fatal after an outage, and nothing was sent any more.
TEST(KafkaProducer, GoesOnWithANewOneAfterAnErrorThatIsFinal) {
  MockCluster cluster;
  std::vector<std::string> log;
  std::mutex guard;
  KafkaProducer producer(url_of(cluster.url()), {.log = [&](std::string_view line) {
                           const std::scoped_lock lock(guard);
                           log.emplace_back(line);
                         }});
  const std::array one{KafkaMessage{"t", "k", "1"}};
  const auto before = producer.send_all(one, within(30s), {});
  ASSERT_TRUE(before) << before.error();

  cluster.answer_next_produce(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  const auto failed = producer.send_all(one, within(30s), {});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), HasSubstr("Kafka: the producer failed for good: "));
  for (int i = 0; i < 3; ++i) {
    const auto after = producer.send_all(one, within(30s), {});
    EXPECT_TRUE(after) << after.error();
  }
  EXPECT_EQ(producer.fatal_errors(), 1U);
  const std::scoped_lock lock(guard);
  EXPECT_EQ(std::ranges::count_if(log, [](const auto& line) { return line.contains("a new one goes on"); }), 1);
}

TEST(KafkaProducer, RepeatsByItselfWhatTheBrokerCouldNotTakeJustThen) {
  MockCluster cluster;
  KafkaProducer producer(url_of(cluster.url()));
  cluster.answer_next_produce(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  cluster.answer_next_produce(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
  const std::array one{KafkaMessage{"t", "k", "1"}};
  const auto sent = producer.send_all(one, within(30s), {});
  EXPECT_TRUE(sent) << sent.error();
}

}  // namespace
}  // namespace firstcome::net::kafka_tests
