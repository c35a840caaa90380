// The line before a sale, without a server: who is asked for, who has waited too long, who is refused at once.
#include "engine/redis/sale_desk.hpp"

#include "engine/asking.hpp"
#include "engine/redis/scripted_client.hpp"
#include "engine/redis/scripted_replies.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using engine::CallPace;
using engine::SaleDesk;
using std::chrono::steady_clock;

TEST(CallPace, KnowsNothingBeforeTheFirstAnswer) { EXPECT_EQ(CallPace{}.wait_behind(1'000, 64), 0ms); }

TEST(CallPace, CountsWholeCallsAndTheOneUnderWay) {
  CallPace pace;
  pace.note(100ms);
  EXPECT_EQ(pace.wait_behind(0, 64), 100ms);
  EXPECT_EQ(pace.wait_behind(63, 64), 100ms);
  EXPECT_EQ(pace.wait_behind(64, 64), 200ms);
  EXPECT_EQ(pace.wait_behind(640, 64), 1'100ms);
}

TEST(CallPace, ForgetsAnOutage) {
  CallPace pace;
  pace.note(1s);
  for (int i = 0; i < 60; ++i) pace.note(1ms);
  EXPECT_LT(pace.wait_behind(0, 64), 5ms);
}

/// A desk whose server is the test.
class SaleDeskTest : public ::testing::Test {
 protected:
  SaleDeskTest() {
    office_.complete = [](Operation& operation) { operation.completed(); };
    office_.flush = [] {};
    office_.changed = [](SaleHandle) {};
  }

  void make_desk(std::chrono::milliseconds patience) {
    office_.patience = patience;
    desk_ = std::make_shared<SaleDesk>(office_, engine::KnownSale{SaleHandle{1}, terms_of("s", 10)});
  }

  Asked& submit(steady_clock::time_point deadline) {
    Asked& asked = asked_.emplace_back();
    asked.command = Reserve{"s", "customer", 1, {}, {}};
    desk_->submit(asked, deadline);
    return asked;
  }

  bool was_overloaded(const Asked& asked) {
    return asked.done && !asked.answer && asked.answer.error().code == FailureCode::overloaded;
  }

  boost::asio::io_context io_;
  ScriptedClient client_;
  engine::Registry registry_{client_};
  engine::RedisPast past_{client_, registry_};
  engine::DeskOffice office_{
      .client = client_, .registry = registry_, .past = past_, .executor = io_.get_executor(), .node = "nodeofit"};
  std::deque<Asked> asked_;
  std::shared_ptr<SaleDesk> desk_;
};

TEST_F(SaleDeskTest, EndsOnlyWhoeverHasWaitedTooLong) {
  make_desk(20s);
  const auto soon = steady_clock::now() + 20ms;
  const auto later = steady_clock::now() + 1h;
  const Asked& first = submit(later);
  const Asked& late = submit(soon);
  const Asked& patient = submit(later);
  ASSERT_EQ(client_.sent.size(), 1U);
  while (steady_clock::now() < soon) io_.run_for(1ms);
  client_.take().done(accepted(1));
  EXPECT_TRUE(first.done && first.answer);
  EXPECT_TRUE(was_overloaded(late));
  EXPECT_FALSE(patient.done);
  ASSERT_EQ(client_.sent.size(), 1U);
  client_.take().done(accepted(1));
  EXPECT_TRUE(patient.done && patient.answer);
}

TEST_F(SaleDeskTest, GivesACallItsWholeTimeHoweverLongThoseInItHaveWaited) {
  make_desk(20s);
  const auto soon = steady_clock::now() + 5s;
  submit(soon);
  submit(soon);
  const auto asked_at = steady_clock::now();
  client_.take().done(accepted(1));
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_GE(client_.sent.front().deadline, asked_at + 20s);
}

TEST_F(SaleDeskTest, RefusesAtOnceWhatCouldNotBeDecidedInTime) {
  make_desk(10s);
  const auto later = steady_clock::now() + 1h;
  submit(later);
  const auto slow = steady_clock::now() + 20ms;
  while (steady_clock::now() < slow) io_.run_for(1ms);
  client_.take().done(accepted(1));
  std::size_t refused = 0;
  for (int i = 0; i < 40'000; ++i) {
    const bool now = was_overloaded(submit(later));
    refused += now ? 1 : 0;
    ASSERT_FALSE(now && i < 100) << "one call takes some milliseconds, and ten seconds are there";
  }
  EXPECT_GT(refused, 0U);
  EXPECT_LE(desk_->waiting() + refused, 40'000U);
}

TEST_F(SaleDeskTest, AsksForPagesByThemselves) {
  make_desk(20s);
  const auto later = steady_clock::now() + 1h;
  submit(later);
  submit(later);
  Asked& page = asked_.emplace_back();
  page.command = ListReservations{"s", std::nullopt, Number{}, 10};
  desk_->submit(page, later);
  submit(later);
  client_.take().done(accepted(1));
  const std::string list_of_ten = "$1\r\nL\r\n$1\r\n0\r\n$2\r\n10\r\n";
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_EQ(client_.sent.front().bytes.find(list_of_ten), std::string::npos) << "beside a reservation";
  client_.take().done(accepted(1));
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_NE(client_.sent.front().bytes.find(list_of_ten), std::string::npos);
  EXPECT_EQ(client_.sent.front().bytes.find("$1\r\nR\r\n"), std::string::npos) << "beside a reservation";
}

/// The answer to a look at the sale's counters.
net::RedisReply counters(std::string_view changing) {
  const auto text = [](std::string value) {
    return net::RedisReply{.type = net::RedisReply::Type::text, .text = std::move(value)};
  };
  return {.type = net::RedisReply::Type::array,
          .elements = {text("clocks" + std::string(64, 'x') + std::string(changing)), {}, text("")}};
}

TEST_F(SaleDeskTest, LooksBeforeItCallsWhereTimeBringsNothing) {
  make_desk(20s);
  submit(steady_clock::now() + 1h);
  client_.take().done(accepted(1));
  desk_->poll();
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_NE(client_.sent.front().bytes.find("HMGET"), std::string::npos);
  client_.take().done(counters("a"));  // not looked at before
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_NE(client_.sent.front().bytes.find("EVALSHA"), std::string::npos);
  client_.take().done(accepted(0));
  for (int i = 0; i < 3; ++i) {
    desk_->poll();
    client_.take().done(counters("a"));
    EXPECT_TRUE(client_.sent.empty()) << "nothing has changed";
  }
  EXPECT_GT(desk_->next_poll(), steady_clock::now() + 5s) << "the longer nothing happens the more seldom";
  desk_->poll();
  client_.take().done(counters("b"));
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_NE(client_.sent.front().bytes.find("EVALSHA"), std::string::npos);
}

TEST_F(SaleDeskTest, CallsWhereALookFails) {
  make_desk(20s);
  submit(steady_clock::now() + 1h);
  client_.take().done(accepted(1));
  desk_->poll();
  client_.take().done(std::unexpected(net::RedisFailure{.code = "down", .detail = "no connection"}));
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_NE(client_.sent.front().bytes.find("EVALSHA"), std::string::npos);
}

}  // namespace
}  // namespace firstcome::test
