// One customer with many reservations: what a page of them costs, and what a refusal of all of them costs, counted in
// the commands that the script makes.
#include "engine/redis/redis_harness.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

/// How often the server has read single fields since its statistics were reset.
long reads_of(const testing::RedisServer& server) {
  const std::string all = server.text({"INFO", "commandstats"});
  const std::string_view wanted = "cmdstat_hget:calls=";
  const std::size_t at = all.find(wanted);
  return at == std::string::npos ? 0 : std::stol(all.substr(at + wanted.size()));
}

SaleHandle create(RedisHarness& redis, const SaleTerms& terms) {
  Asked asked;
  asked.command = CreateSale{terms};
  redis.engine().submit(asked);
  redis.finish(asked);
  return asked.as<SaleAnswer>().sale.handle;
}

/// Reservations of the box office, with those of others in between.
void reserve_many(RedisHarness& redis, int count, Outcome outcome) {
  std::deque<Asked> asked;
  for (int i = 0; i < count; ++i) {
    asked.emplace_back().command = Reserve{"s", i % 10 == 9 ? "somebody" : "box-office", 1, {}, {}};
    redis.engine().submit(asked.back());
  }
  for (const Asked& one : asked) {
    redis.finish(one);
    ASSERT_TRUE(one.answer) << one.answer.error().detail;
    ASSERT_EQ(one.as<ReserveAnswer>().outcome, outcome);
  }
}

TEST(RedisLongChains, AreListedInPagesThatCostTheSameWhereverTheyAre) {
  FIRSTCOME_NEEDS_REDIS();
  constexpr int reservations = 20'000;
  constexpr std::uint32_t limit = 100;
  constexpr long most_reads = 500;  // of a page; the customer has 18 000
  RedisHarness redis;
  create(redis, terms_of("s", reservations));
  reserve_many(redis, reservations, Outcome::done);
  std::uint64_t expected = 0;
  ListReservations page{"s", "box-office", Number{}, limit};
  do {
    redis.server().command({"CONFIG", "RESETSTAT"});
    const auto answer = redis.node().ask(page);
    ASSERT_TRUE(answer) << answer.error().detail;
    ASSERT_LE(reads_of(redis.server()), most_reads) << "after " << value(page.after);
    for (const ReservationView& one : answer->items) {
      ++expected;
      if (expected % 10 == 0) ++expected;
      ASSERT_EQ(value(one.ref.number), expected);
      ASSERT_EQ(one.customer, "box-office");
    }
    page.after = answer->next;
  } while (page.after != Number{});
  EXPECT_EQ(expected, reservations - 1U);
}

/// Lists a customer page by page. Each page must cost few reads.
std::vector<std::uint64_t> listed(RedisHarness& redis, const std::string& customer, long most_reads) {
  std::vector<std::uint64_t> numbers;
  ListReservations page{"s", customer, Number{}, 50};
  do {
    redis.server().command({"CONFIG", "RESETSTAT"});
    const auto answer = redis.node().ask(page).value();
    EXPECT_LE(reads_of(redis.server()), most_reads) << customer << " after " << value(page.after);
    for (const ReservationView& one : answer.items) numbers.push_back(value(one.ref.number));
    page.after = answer.next;
  } while (page.after != Number{});
  return numbers;
}

TEST(RedisLongChains, AreExactAndListedAtTheSameCostAfterTransfers) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  const SaleHandle handle = create(redis, terms_of("s", 20'000));
  std::vector<std::string> has(1);
  const auto give = [&](std::size_t number, const char* customer) {
    ASSERT_EQ(redis.node().ask(Transfer{{handle, Number{number}}, customer})->outcome, Outcome::done);
    has[number] = customer;
  };
  for (int round = 0; round < 12; ++round) {
    const std::size_t first = has.size();
    reserve_many(redis, 500, Outcome::done);
    for (int i = 0; i < 500; ++i) has.push_back(i % 10 == 9 ? "somebody" : "box-office");
    ASSERT_EQ(redis.node().reserve("desk")->outcome, Outcome::done);  // behind those that it gets
    has.push_back("desk");
    for (std::size_t number = first; number < first + 500; ++number) {
      if (has[number] == "box-office" && number % 3 != 0) give(number, "desk");
    }
    // Some go on, and some go back, the last ones first.
    for (std::size_t back = 1; back <= 500; back += 7) {
      const std::size_t number = first + 500 - back;
      if (has[number] == "desk") give(number, number % 2 == 0 ? "box-office" : "somebody");
    }
  }
  for (const char* customer : {"box-office", "desk", "somebody"}) {
    std::vector<std::uint64_t> expected;
    for (std::size_t number = 1; number < has.size(); ++number)
      if (has[number] == customer) expected.push_back(number);
    EXPECT_EQ(listed(redis, customer, 1'500), expected) << customer;
  }
  EXPECT_TRUE(redis.node().ask(AuditSale{"s"})->ok);
}

TEST(RedisLongChains, AreCorrectedAtOnceWhenAllWhoWaitAreRefused) {
  FIRSTCOME_NEEDS_REDIS();
  constexpr int waiting = 10'000;
  constexpr long most_reads = 100;
  RedisHarness redis;
  SaleTerms terms = terms_of("s", 1);
  terms.standby = Standby::yes;
  terms.limit_per_customer = waiting;
  const SaleHandle handle = create(redis, terms);
  ASSERT_EQ(redis.node().reserve("first")->outcome, Outcome::done);
  reserve_many(redis, waiting, Outcome::waiting);
  ASSERT_EQ(redis.node().ask(Confirm{{handle, Number{1}}, "paid"})->outcome,
            Outcome::done);  // which refuses the others
  PatchSale more;
  more.sale = "s";
  more.stock = waiting + 1;
  ASSERT_EQ(redis.node().ask(more)->outcome, Outcome::done);
  redis.server().command({"CONFIG", "RESETSTAT"});
  // None of those counts any more: the whole limit is there.
  const auto all = redis.node().ask(Reserve{"s", "box-office", waiting, {}, {}});
  ASSERT_TRUE(all) << all.error().detail;
  EXPECT_EQ(all->outcome, Outcome::done);
  EXPECT_LE(reads_of(redis.server()), most_reads);
  const auto one_more = redis.node().ask(Reserve{"s", "box-office", 1, {}, {}});
  EXPECT_EQ(one_more->outcome, Outcome::limit_exceeded);
}

TEST(RedisLongChains, OfAnEarlierReleaseAreCountedOnceAndThenGoOn) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  const SaleHandle handle = create(redis, terms_of("s", 1'000));
  reserve_many(redis, 300, Outcome::done);
  // As that release has written it: without what came later.
  const std::string hash = engine::SaleKeys(handle).hash;
  ASSERT_EQ(redis.server().text({"EVAL",
                                 "redis.call('HSET', KEYS[1], 'cbox-office', redis.call('HGET', KEYS[1], "
                                 "'cbox-office'):sub(1, 18)) return redis.call('HDEL', KEYS[1], 'j0:box-office')",
                                 "1", hash}),
            "1");
  reserve_many(redis, 300, Outcome::done);
  ListReservations page{"s", "box-office", Number{}, 7};
  std::uint64_t expected = 0;
  do {
    const auto answer = redis.node().ask(page);
    ASSERT_TRUE(answer) << answer.error().detail;
    for (const ReservationView& one : answer->items) {
      ++expected;
      if (expected % 10 == 0) ++expected;
      ASSERT_EQ(value(one.ref.number), expected);
    }
    page.after = answer->next;
  } while (page.after != Number{});
  EXPECT_EQ(expected, 599U);
}

}  // namespace
}  // namespace firstcome::test
