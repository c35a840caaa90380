// When a node says that it is ready: whoever comes then must not be failed by what was asked in the outage before.
#include "engine/asking.hpp"
#include "engine/redis/redis_core.hpp"
#include "engine/redis/scripted_client.hpp"
#include "engine/redis/scripted_replies.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using engine::RedisCore;
using net::RedisFailure;
using Kind = RedisFailure::Kind;
using std::chrono::steady_clock;

const RedisFailure loading{.kind = Kind::refused, .code = "LOADING", .detail = "LOADING"};
const RedisFailure late{.kind = Kind::timed_out, .code = {}, .detail = "no answer in time"};

/// Parts of commands by which they are known.
constexpr std::string_view list_of_sales = "$4\r\nlist\r\n";
constexpr std::string_view terms_of_sale = "$1\r\no\r\n$5\r\nstore\r\n";
constexpr std::string_view call_of_sale = "$3\r\n128\r\n";  // how many steps of time it may make

/// A core whose server is the test. It has one sale, "s".
class ReadinessTest : public ::testing::Test {
 protected:
  ReadinessTest() {
    engine::RedisCoreEvents events;
    events.complete = [](Operation& operation) { operation.completed(); };
    events.flush = [] {};
    events.payment_work = [] {};
    events.events_written = [](SaleHandle) {};
    events.readiness = [this](Readiness readiness) { told_ = std::move(readiness); };
    events.let_go = [](std::shared_ptr<const engine::KnownSale>) {};
    core_.emplace(client_, io_.get_executor(), engine::RedisCoreOptions{.patience = 20s}, std::move(events));
  }

  static net::RedisReply list() { return array_reply({"store", std::string(32, 's'), "1", "s", "1 open"}); }
  static net::RedisReply terms() { return array_reply({engine::pack_terms(terms_of("s", 10)), "store"}); }

  /// The oldest command that has this part and is not answered.
  ScriptedClient::Sent next(std::string_view part) {
    const auto has = [part](const ScriptedClient::Sent& one) { return one.bytes.find(part) != std::string::npos; };
    const auto until = steady_clock::now() + 10s;
    auto found = std::ranges::find_if(client_.sent, has);
    while (found == client_.sent.end() && steady_clock::now() < until) {
      io_.restart();
      io_.run_for(1ms);
      found = std::ranges::find_if(client_.sent, has);
    }
    if (found == client_.sent.end()) {
      ADD_FAILURE() << "not asked: " << part;
      return {.bytes = {}, .deadline = {}, .done = [](const net::RedisResult&) {}};
    }
    ScriptedClient::Sent sent = std::move(*found);
    client_.sent.erase(found);
    return sent;
  }
  void answer(std::string_view part, net::RedisReply reply) { next(part).done(std::move(reply)); }
  void fail(std::string_view part, const RedisFailure& failure) { next(part).done(std::unexpected(failure)); }
  bool was_sent(std::string_view part) {
    return std::ranges::any_of(
        client_.sent, [part](const ScriptedClient::Sent& one) { return one.bytes.find(part) != std::string::npos; });
  }

  /// Up to where the sale's terms are asked for.
  void open_store() {
    core_->open(steady_clock::now() + 20s, [](const std::expected<void, Failure>& opened) { ASSERT_TRUE(opened); });
    answer("INFO", text_reply("redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n"));
    answer("CONFIG", array_reply({"maxmemory-policy", "noeviction"}));
    answer("$5\r\nfound\r\n", array_reply({"store", std::string(32, 's'), "0"}));
    answer("INFO", text_reply("run_id:1\r\n"));
    answer(list_of_sales, list());
  }
  void open_sale() {
    open_store();
    answer(terms_of_sale, terms());
    answer(call_of_sale, accepted(0));  // finds out how it stands
    EXPECT_TRUE(told_.ready) << told_.reason;
  }

  Asked& submit(Command command) {
    Asked& asked = asked_.emplace_back();
    asked.command = std::move(command);
    core_->submit(asked);
    return asked;
  }
  Asked& reserve() { return submit(Reserve{"s", "customer", 1, {}, {}}); }

  boost::asio::io_context io_;
  ScriptedClient client_;
  std::deque<Asked> asked_;
  Readiness told_;
  std::optional<RedisCore> core_;
};

TEST_F(ReadinessTest, ComesOnlyAfterTheCallsThatWereMadeInTheOutage) {
  open_sale();
  const Asked& during = reserve();
  fail(call_of_sale, loading);
  fail(list_of_sales, loading);
  EXPECT_FALSE(told_.ready);
  ScriptedClient::Sent again = next(call_of_sale);
  answer(list_of_sales, list());
  EXPECT_FALSE(told_.ready) << "the call may fail yet, and who comes then is refused";
  again.done(std::unexpected(late));
  EXPECT_TRUE(during.done && !during.answer);
  answer(list_of_sales, list());
  EXPECT_FALSE(told_.ready) << "the sale is in trouble";
  answer(call_of_sale, accepted(0));
  answer(list_of_sales, list());
  EXPECT_TRUE(told_.ready) << told_.reason;
  const Asked& after = reserve();
  answer(call_of_sale, accepted(1));
  EXPECT_TRUE(after.done && after.answer);
}

TEST_F(ReadinessTest, EndsInTheMomentInWhichASaleGetsIntoTrouble) {
  open_sale();
  reserve();
  fail(call_of_sale, late);
  EXPECT_FALSE(told_.ready);
  EXPECT_NE(told_.reason.find(late.detail), std::string::npos) << told_.reason;
  answer(call_of_sale, accepted(0));
  answer(list_of_sales, list());
  EXPECT_TRUE(told_.ready) << told_.reason;
}

TEST_F(ReadinessTest, EndsWhereASaleCannotBeOpenedAndComesWhenItIs) {
  open_store();
  EXPECT_TRUE(told_.ready);
  fail(terms_of_sale, late);
  EXPECT_FALSE(told_.ready);
  answer(list_of_sales, list());
  EXPECT_FALSE(told_.ready);
  answer(terms_of_sale, terms());
  answer(list_of_sales, list());
  EXPECT_TRUE(told_.ready) << told_.reason;
}

TEST_F(ReadinessTest, WhoComesWhileASaleIsOpenedIsNotFailedByAnEarlierQuestion) {
  open_store();
  const Asked& later = reserve();
  fail(terms_of_sale, late);
  EXPECT_FALSE(later.done);
  answer(terms_of_sale, terms());
  answer(call_of_sale, accepted(1));
  EXPECT_TRUE(later.done && later.answer);
}

TEST_F(ReadinessTest, WhoComesWhileTheListIsReadIsNotFailedByAnEarlierQuestion) {
  open_sale();
  const Asked& first = submit(GetSale{"another"});
  const Asked& later = submit(GetSale{"another"});
  fail(list_of_sales, late);
  EXPECT_TRUE(first.done && !first.answer);
  EXPECT_FALSE(later.done);
  answer(list_of_sales, list());
  ASSERT_TRUE(later.done && later.answer);
  EXPECT_EQ(later.as<SaleAnswer>().outcome, Outcome::sale_not_found);
}

}  // namespace
}  // namespace firstcome::test
