// Those who wait before a sale with an id, when it turns out that its past is lost: the number is, or will be, of
// another.
#include "engine/asking.hpp"
#include "engine/redis/past_codec.hpp"
#include "engine/redis/sale_desk.hpp"
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
using engine::Era;
using engine::SaleDesk;
using std::chrono::steady_clock;

constexpr SaleHandle the_sale{1};
constexpr Incarnation first{0x11};
constexpr Incarnation second{0x22};
const net::RedisFailure cut{.kind = net::RedisFailure::Kind::unknown, .code = {}, .detail = "cut"};

/// A desk whose server is the test. Its sale is in its first incarnation.
class LostNumbersTest : public ::testing::Test {
 protected:
  LostNumbersTest() {
    office_.complete = [](Operation& operation) { operation.completed(); };
    office_.flush = [] {};
    office_.changed = [](SaleHandle) {};
    office_.patience = 20s;
    past_.begin(later, [] {});
    client_.take().done(text_reply(run));
    desk_ = std::make_shared<SaleDesk>(office_, engine::KnownSale{the_sale, terms_of("s", 10)});
    look({.sale = the_sale, .incarnation = first});
  }

  /// As where somebody lists the losses.
  void look(const Era& era) {
    past_.look({.sale = the_sale, .sale_id = "s"}, later,
               [](const std::expected<engine::PastFound, Failure>& found) { ASSERT_TRUE(found); });
    ASSERT_EQ(client_.sent.size(), 1U);
    answer_look(era);
  }
  void answer_look(const Era& era) {
    client_.take().done(text_reply(run));
    client_.take().done(array_reply({"", std::string(64, '\0'), engine::pack_era(era), "", "1"}));
  }

  Asked& submit(Command command) {
    Asked& asked = asked_.emplace_back();
    asked.command = std::move(command);
    desk_->submit(asked, later);
    return asked;
  }
  Asked& reserve() { return submit(Reserve{"s", "customer", 1, {}, {}}); }
  Asked& cancel() { return submit(Cancel{{the_sale, Number{1}}}); }
  static bool was_not_found(const Asked& asked) {
    return asked.done && asked.answer && asked.as<ReservationAnswer>().outcome == Outcome::reservation_not_found;
  }
  void wait_for_a_call() {
    const auto until = steady_clock::now() + 10s;
    while (client_.sent.empty() && steady_clock::now() < until) io_.run_for(1ms);
    ASSERT_EQ(client_.sent.size(), 1U);
  }

  const steady_clock::time_point later = steady_clock::now() + 1h;
  const std::string run = "run_id:1\r\n";
  const Era lost{.sale = the_sale, .incarnation = second, .added_to_number = 1};
  boost::asio::io_context io_;
  ScriptedClient client_;
  engine::Registry registry_{client_};
  engine::RedisPast past_{client_, registry_};
  engine::DeskOffice office_{
      .client = client_, .registry = registry_, .past = past_, .executor = io_.get_executor(), .node = "nodeofit"};
  std::deque<Asked> asked_;
  std::shared_ptr<SaleDesk> desk_;
};

TEST_F(LostNumbersTest, WhoeverFoundTheLossWhoWaitsIsToldThatThereIsNoSuchReservation) {
  const Asked& before = reserve();
  auto call = client_.take();
  const Asked& waiting = cancel();
  const Asked& behind = reserve();
  look(lost);
  call.done(accepted(1, second));
  EXPECT_TRUE(before.done && before.answer);
  EXPECT_TRUE(was_not_found(waiting));
  wait_for_a_call();
  client_.take().done(accepted(1, second));
  EXPECT_TRUE(behind.done && behind.answer);
}

TEST_F(LostNumbersTest, WhoComesWithAnIdOfWhatHoldsNowIsAsked) {
  look(lost);
  cancel();
  ASSERT_EQ(client_.sent.size(), 1U);
  EXPECT_NE(client_.sent.front().bytes.find("$1\r\nX\r\n$1\r\n1\r\n"), std::string::npos);
}

TEST_F(LostNumbersTest, OfACallThatMayHaveRunTheRestIsUnknown) {
  reserve();
  auto call = client_.take();
  const Asked& waiting = cancel();
  const Asked& behind = reserve();
  call.done(accepted(1, first));
  wait_for_a_call();
  client_.take().done(std::unexpected(cut));
  look(lost);
  wait_for_a_call();
  EXPECT_TRUE(was_not_found(waiting));
  ASSERT_TRUE(behind.done && !behind.answer);
  EXPECT_EQ(behind.answer.error().code, FailureCode::outcome_unknown);
  const Asked& next = reserve();
  client_.take().done(accepted(0, second));
  wait_for_a_call();
  EXPECT_NE(client_.sent.front().bytes.find("$8\r\ncustomer\r\n"), std::string::npos);
  client_.take().done(accepted(1, second));
  EXPECT_TRUE(next.done && next.answer);
}

}  // namespace
}  // namespace firstcome::test
