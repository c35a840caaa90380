// A member of a group sees every record at least once, and what it says is done is not seen again.
#include "net/kafka/consumer.hpp"

#include "net/kafka/broker.hpp"
#include "support/child_process.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <thread>

namespace firstcome::net::kafka_tests {
namespace {

using firstcome::testing::eventually;
using ::testing::AllOf;
using ::testing::HasSubstr;

void fill(const KafkaServer& server, std::string_view topic, int from, int upto) {
  KafkaProducer producer(url_of(server.url()));
  const auto sent = producer.send_all(Numbered(topic, from, upto, 50).messages, within(30s), {});
  ASSERT_TRUE(sent) << sent.error();
}

KafkaConsumerOptions member_of(std::string group, std::string topic) {
  return {.group = std::move(group), .topics = {std::move(topic)}};
}

/// Polls until there are so many, in the order in which they came. Errors on the way are what polling goes on after.
std::vector<KafkaRecord> poll_records(KafkaConsumer& consumer, std::size_t count) {
  std::vector<KafkaRecord> all;
  eventually(
      [&] {
        auto some = consumer.poll(count - all.size(), 100ms);
        if (some) std::ranges::move(*some, std::back_inserter(all));
        return all.size() >= count;
      },
      60s);
  EXPECT_EQ(all.size(), count);
  return all;
}

std::vector<int> numbers_of(const std::vector<KafkaRecord>& records) {
  std::vector<int> numbers;
  for (const KafkaRecord& record : records) numbers.push_back(std::stoi(record.payload));
  return numbers;
}

std::vector<int> numbers(int from, int upto) {
  std::vector<int> all;
  for (int i = from; i < upto; ++i) all.push_back(i);
  return all;
}

/// The error of the first poll that has one.
std::string first_error(KafkaConsumer& consumer) {
  std::string error;
  eventually(
      [&] {
        const auto polled = consumer.poll(10, 100ms);
        if (!polled) error = polled.error();
        return !polled;
      },
      60s);
  return error;
}

TEST(KafkaConsumer, CommitsWhatWasSaidAndGivesTheRestAgain) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t");
  fill(server, "t", 0, 100);
  {
    KafkaConsumer consumer(url_of(server.url()), member_of("g", "t"));
    const auto records = poll_records(consumer, 70);
    EXPECT_EQ(numbers_of(records), numbers(0, 70));
    EXPECT_EQ(records[7].key, "k7");
    EXPECT_EQ(records[7].topic, "t");
    EXPECT_EQ(records[7].offset, 7);
    EXPECT_GT(records[7].timestamp.time_since_epoch(), 0s);
    EXPECT_EQ(consumer.lag(20s), (std::vector{KafkaLag{"t", 0, 30}}));
    consumer.rewind();
    EXPECT_EQ(numbers_of(poll_records(consumer, 60)), numbers(0, 60)) << "nothing was committed yet";
    const auto committed = consumer.commit(std::span(records).first(40));
    ASSERT_TRUE(committed) << committed.error();
    consumer.rewind();
    EXPECT_EQ(numbers_of(poll_records(consumer, 60)), numbers(40, 100));
    EXPECT_EQ(consumer.lag(20s), (std::vector{KafkaLag{"t", 0, 0}}));
  }
  KafkaConsumer next(url_of(server.url()), member_of("g", "t"));
  EXPECT_EQ(numbers_of(poll_records(next, 60)), numbers(40, 100)) << "what was polled and not committed comes again";
  KafkaConsumer of_another_group(url_of(server.url()), member_of("other", "t"));
  EXPECT_EQ(numbers_of(poll_records(of_another_group, 100)), numbers(0, 100));
}

TEST(KafkaConsumer, GivesNothingWhilePausedAndGoesOnWhereItWas) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t");
  fill(server, "t", 0, 100);
  KafkaConsumer consumer(url_of(server.url()), member_of("g", "t"));
  EXPECT_EQ(numbers_of(poll_records(consumer, 30)), numbers(0, 30));
  consumer.pause();
  const auto nothing = consumer.poll(100, 1s);
  ASSERT_TRUE(nothing) << nothing.error();
  EXPECT_TRUE(nothing->empty());
  consumer.resume();
  EXPECT_EQ(numbers_of(poll_records(consumer, 70)), numbers(30, 100));
  consumer.pause();
  consumer.rewind();
  EXPECT_TRUE(consumer.poll(100, 500ms).value().empty());
  consumer.resume();
  EXPECT_EQ(numbers_of(poll_records(consumer, 100)), numbers(0, 100));
}

TEST(KafkaConsumer, GivesNoMoreBytesAtOnceThanItMay) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t");
  fill(server, "t", 100, 200);  // of three bytes each
  KafkaConsumerOptions options = member_of("g", "t");
  options.most_polled_bytes = 30;
  KafkaConsumer consumer(url_of(server.url()), options);
  std::vector<KafkaRecord> all;
  EXPECT_TRUE(eventually(
      [&] {
        auto some = consumer.poll(1'000, 100ms);
        if (!some) return false;
        EXPECT_LE(some->size(), 10U);
        std::ranges::move(*some, std::back_inserter(all));
        return all.size() == 100;
      },
      60s));
  EXPECT_EQ(numbers_of(all), numbers(100, 200));
}

TEST(KafkaConsumer, DoesNotCommitForAPartitionThatWentToAnother) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t", 2);
  fill(server, "t", 0, 1'000);
  {
    KafkaConsumer first(url_of(server.url()), member_of("g", "t"));
    const auto records = poll_records(first, 1'000);
    ASSERT_EQ(first.partitions(), 2U);
    KafkaConsumer second(url_of(server.url()), member_of("g", "t"));
    std::size_t again = 0;
    ASSERT_TRUE(eventually(
        [&] {
          if (const auto some = first.poll(1'000, 50ms)) again += some->size();
          if (const auto some = second.poll(1'000, 50ms)) again += some->size();
          return again >= 1'000;
        },
        60s))
        << "nothing was committed, so all comes again";
    EXPECT_EQ(first.partitions(), 1U);
    EXPECT_EQ(second.partitions(), 1U);
    const auto late = first.commit(records);
    EXPECT_TRUE(late) << late.error();
  }
  KafkaConsumer next(url_of(server.url()), member_of("g", "t"));
  EXPECT_EQ(poll_records(next, 1'000).size(), 1'000U) << "what was polled for an earlier assignment is not committed";
}

constexpr const char* url_variable = "FIRSTCOME_TEST_KAFKA_URL";

/// What the next test kills: it has polled 100, committed 40, and does not end.
TEST(KafkaConsumerChild, PollsAndIsKilled) {
  const char* url = std::getenv(url_variable);
  if (url == nullptr) GTEST_SKIP() << "it is started by a test";
  KafkaConsumer consumer(url_of(url), member_of("g", "t"));
  const auto records = poll_records(consumer, 100);
  ASSERT_TRUE(consumer.commit(std::span(records).first(40)));
  ::write(STDOUT_FILENO, "ready\n", 6);
  for (;;) ASSERT_TRUE(consumer.poll(1, 1s)) << "it is no other's turn";
}

TEST(KafkaConsumer, GoesOnAtWhatAKilledOneHadCommitted) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t");
  fill(server, "t", 0, 100);
  firstcome::testing::ChildOptions options;
  options.program = "/proc/self/exe";
  options.arguments = {"--gtest_filter=KafkaConsumerChild.*"};
  options.environment = {std::string(url_variable) + "=" + server.url()};
  firstcome::testing::ChildProcess killed(options);
  std::optional<std::string> line;
  while ((line = killed.read_line(60s)) && *line != "ready") {
  }
  ASSERT_EQ(line, "ready");
  killed.kill();
  KafkaConsumer next(url_of(server.url()), member_of("g", "t"));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(numbers_of(poll_records(next, 60)), numbers(40, 100));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 45s) << "it is missed after six seconds";
}

TEST(KafkaConsumer, GoesOnWhenTheBrokerComesBack) {
  FIRSTCOME_NEEDS_KAFKA();
  KafkaServer server;
  make_topic(server, "t");
  fill(server, "t", 0, 100);
  KafkaConsumerOptions options = member_of("g", "t");
  options.patience = 500ms;
  KafkaConsumer consumer(url_of(server.url()), options);
  const auto records = poll_records(consumer, 100);
  server.kill();
  EXPECT_THAT(first_error(consumer), AllOf(HasSubstr("Kafka: "), HasSubstr(" be reached")));
  const auto away = consumer.commit(records);
  ASSERT_FALSE(away);
  EXPECT_THAT(away.error(), HasSubstr("Kafka, group g: offsets may not be committed"));
  server.start();
  fill(server, "t", 100, 200);
  std::set<int> seen;
  EXPECT_TRUE(eventually(
      [&] {
        if (const auto some = consumer.poll(1'000, 100ms)) {
          for (const int number : numbers_of(*some)) seen.insert(number);
        }
        return seen.contains(199);
      },
      60s));
  EXPECT_TRUE(std::ranges::includes(seen, numbers(100, 200)));
}

std::int64_t sum_of(const std::vector<KafkaLag>& lags) {
  std::int64_t sum = 0;
  for (const KafkaLag& lag : lags) sum += lag.records.value_or(0);
  return sum;
}

TEST(KafkaConsumer, CountsTheLagOfAllItsPartitionsWithoutAskingForIt) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  make_topic(server, "t", 6);
  fill(server, "t", 0, 6'000);
  KafkaConsumer consumer(url_of(server.url()), member_of("g", "t"));
  EXPECT_TRUE(consumer.lag(0ms).empty()) << "before it is a member it knows of no partition";
  EXPECT_FALSE(consumer.is_member());
  const auto records = poll_records(consumer, 6'000);
  EXPECT_TRUE(consumer.is_member());
  const auto nothing = consumer.lag(0ms);
  ASSERT_EQ(nothing.size(), 6U);
  for (const KafkaLag& lag : nothing) EXPECT_EQ(lag.records, 0) << lag.partition;
  fill(server, "t", 6'000, 7'000);
  EXPECT_TRUE(eventually([&] {  // told by the fetches that run
    (void)consumer.poll(1, 0ms);
    return sum_of(consumer.lag(0ms)) > 900;
  }));
  ASSERT_TRUE(consumer.commit(records));
  poll_records(consumer, 900);
  // A member that begins where there is nothing new knows that too.
  KafkaConsumer empty(url_of(server.url()), member_of("empty", "t"));
  std::size_t seen = 0;
  EXPECT_TRUE(eventually([&] {
    if (const auto some = empty.poll(10'000, 100ms)) seen += some->size();
    return seen == 7'000;
  }));
  ASSERT_TRUE(empty.poll(1, 100ms));
  EXPECT_EQ(sum_of(empty.lag(0ms)), 0);
}

TEST(KafkaConsumer, AsksForTheLagWhilePausedAndNoLongerThanItMay) {
  FIRSTCOME_NEEDS_KAFKA();
  KafkaServer server;
  make_topic(server, "t", 2);
  fill(server, "t", 0, 100);
  KafkaConsumer consumer(url_of(server.url()), member_of("g", "t"));
  poll_records(consumer, 100);
  consumer.pause();
  fill(server, "t", 100, 200);
  EXPECT_TRUE(eventually([&] { return sum_of(consumer.lag(1s)) == 100; })) << "although nothing is fetched";
  server.pause();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(sum_of(consumer.lag(200ms)), 100) << "what was known last";
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5 * 200ms);
  server.resume();
}

// A broker that has gone must not keep its client: neither from going on, nor from ending.
TEST(KafkaConsumer, TellsTheLagAndEndsAtOnceWhileTheBrokerIsAway) {
  FIRSTCOME_NEEDS_KAFKA();
  for (const auto hurt : {&KafkaServer::kill, &KafkaServer::pause}) {
    KafkaServer server;
    make_topic(server, "t");
    fill(server, "t", 0, 100);
    KafkaConsumerOptions options = member_of("g", "t");
    options.patience = 10min;
    auto consumer = std::make_unique<KafkaConsumer>(url_of(server.url()), options);
    const auto records = poll_records(*consumer, 30);
    (server.*hurt)();
    std::stop_source process;
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(consumer->lag(10min), (std::vector{KafkaLag{"t", 0, 70}})) << "what was known last";
    std::jthread stopper([&] {
      const auto so_far = consumer->commit(records, process.get_token());
      EXPECT_FALSE(so_far);
    });
    process.request_stop();
    stopper.join();
    consumer.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5 * 2s);
    if (hurt == &KafkaServer::pause) server.resume();
  }
}

TEST(KafkaConsumer, SaysWhatIsWrong) {
  FIRSTCOME_NEEDS_KAFKA();
  const KafkaServer server;
  KafkaConsumer of_nothing(url_of(server.url()), member_of("g", "nowhere"));
  EXPECT_EQ(first_error(of_nothing), "Kafka, topic nowhere: the topic or partition does not exist");
  KafkaConsumer stranger(url_of(server.url_with_password("wrong")), member_of("g", "t"));
  EXPECT_THAT(first_error(stranger), HasSubstr("Kafka: authentication failed"));
  const auto read = read_topic(url_of(server.url()), "nowhere", [](const KafkaRecord&) {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), "Kafka, topic nowhere: the topic or partition does not exist");
}

TEST(KafkaConsumer, EndsInTimeWhereNobodyAnswers) {
  const auto nowhere = "kafka://127.0.0.1:" + std::to_string(firstcome::testing::free_port());
  const auto began = std::chrono::steady_clock::now();
  {
    KafkaConsumerOptions options = member_of("g", "t");
    options.patience = 1s;
    KafkaConsumer consumer(url_of(nowhere), options);
    EXPECT_THAT(first_error(consumer), HasSubstr("cannot be reached"));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 30s);
}

}  // namespace
}  // namespace firstcome::net::kafka_tests
