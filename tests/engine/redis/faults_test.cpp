// A Redis that fails in each of its ways: no outcome is made up, the reason is told, and it goes on by itself.
#include "engine/redis/selling.hpp"
#include "support/tcp_proxy.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <initializer_list>
#include <thread>

namespace firstcome::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::eventually;
using testing::RedisServer;
using testing::RedisServerOptions;
using testing::TcpProxy;

constexpr Units stock = 1'000;

class RedisFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    start({});
  }

  /// With a sale and one reservation in it.
  void start(RedisServerOptions options) {
    node_.reset();
    proxy_.reset();
    told_ = {};
    server_ = std::make_unique<RedisServer>(std::move(options));
    proxy_ = std::make_unique<TcpProxy>(server_->port());
    node_ = std::make_unique<RedisNode>(node_options());
    create_sale(*node_, stock);
    reserve("before");
    ASSERT_EQ(told_.accepted.size(), 1U);
  }

  engine::RedisEngineOptions node_options() const {
    engine::RedisEngineOptions options = options_for("redis://127.0.0.1:" + std::to_string(proxy_->port()));
    options.patience = patience;
    return options;
  }

  std::expected<ReserveAnswer, Failure> reserve(const std::string& customer) {
    auto answer = node_->reserve(customer, key_of(customer));
    told_.add(customer, answer);
    return answer;
  }

  /// Not ready, because of something that the reason names.
  bool tells(std::string_view reason) {
    last_ = node_->engine().readiness();
    return !last_.ready && last_.reason.find(reason) != std::string::npos;
  }
  bool is_ready() { return node_->engine().readiness().ready; }

  using Codes = std::initializer_list<FailureCode>;
  /// While it lasts, requests fail in time with one of these, and readiness says why.
  void expect_outage(Codes fits, std::string_view reason) {
    for (const std::string customer : {"during", "later"}) {
      const auto asked_at = steady_clock::now();
      const auto answer = reserve(customer);
      EXPECT_LT(steady_clock::now() - asked_at, 5 * patience);
      ASSERT_FALSE(answer) << "outcome " << static_cast<int>(answer->outcome);
      EXPECT_NE(std::ranges::find(fits, answer.error().code), fits.end())
          << static_cast<int>(answer.error().code) << ": " << answer.error().detail;
      EXPECT_FALSE(answer.error().detail.empty());
      EXPECT_TRUE(eventually([&] { return tells(reason); })) << "it says: " << last_.reason;
    }
  }

  /// By itself: nobody asks until it is ready.
  void expect_recovery() {
    ASSERT_TRUE(eventually([this] { return is_ready(); }, recovery_bound)) << node_->engine().readiness().reason;
    for (const std::string customer : {"during", "later", "after"}) {
      const auto answer = reserve(customer);
      ASSERT_TRUE(answer) << answer.error().detail;
    }
    EXPECT_EQ(told_.accepted.size(), 4U);
    expect_true(*node_, told_, stock);
  }

  static constexpr milliseconds patience{1'000};
  static constexpr FailureCode unavailable = FailureCode::store_unavailable;
  static constexpr FailureCode unknown = FailureCode::outcome_unknown;
  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<TcpProxy> proxy_;
  std::unique_ptr<RedisNode> node_;
  Told told_;
  Readiness last_;
};

TEST_F(RedisFaults, AwayIsUnavailableUntilItIsBack) {
  proxy_->refuse();
  proxy_->cut();
  expect_outage({unavailable, unknown}, "Redis");
  proxy_->resume();
  expect_recovery();
}

TEST_F(RedisFaults, ASilentNetworkIsOutcomeUnknownAtFirst) {
  proxy_->drop(TcpProxy::Direction::to_client);
  const auto answer = reserve("lost-reply");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, unknown) << answer.error().detail;
  expect_outage({unavailable, unknown}, "Redis");
  proxy_->resume();
  ASSERT_TRUE(eventually([this] { return is_ready(); }, recovery_bound));
  ASSERT_TRUE(reserve("lost-reply"));
  EXPECT_EQ(told_.accepted.size(), 2U);
  expect_true(*node_, told_, stock);
}

TEST_F(RedisFaults, PausedIsToldInTimeAndGoesOnWhereItWas) {
  server_->pause();
  expect_outage({unavailable, unknown}, "Redis");
  server_->resume();
  expect_recovery();
}

TEST_F(RedisFaults, OutOfMemoryNothingIsDecidedUntilThereIsRoom) {
  server_->command({"CONFIG", "SET", "maxmemory", "1mb"});
  expect_outage({unavailable}, "maxmemory");
  EXPECT_TRUE(told_.unknown.empty());
  server_->command({"CONFIG", "SET", "maxmemory", "0"});
  expect_recovery();
}

TEST_F(RedisFaults, AReadOnlyReplicaDecidesNothing) {
  server_->command({"REPLICAOF", "127.0.0.1", std::to_string(testing::free_port())});
  expect_outage({unavailable}, "read only");
  server_->command({"REPLICAOF", "NO", "ONE"});
  expect_recovery();
}

TEST_F(RedisFaults, ScriptsThatWereFlushedAreSentAgain) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(server_->text({"SCRIPT", "FLUSH"}), "OK");
    EXPECT_TRUE(reserve("flushed" + std::to_string(i)));
  }
  EXPECT_TRUE(is_ready());
  expect_true(*node_, told_, stock);
}

/// Every command waits up to 200 ms for its turn.
void slow_down(const RedisServer& server, std::atomic<int>& pauses, const std::atomic<bool>& ended) {
  for (; !ended; ++pauses) server.command({"CLIENT", "PAUSE", "200", "ALL"});
}

TEST_F(RedisFaults, ASlowServerIsWaitedFor) {
  std::atomic<bool> ended = false;
  std::atomic<int> paused = 0;
  std::thread pauses(slow_down, std::cref(*server_), std::ref(paused), std::cref(ended));
  EXPECT_TRUE(eventually([&paused] { return paused > 1; }));
  const auto began = steady_clock::now();
  int given = 0;
  for (int i = 0; i < 8; ++i) {
    if (reserve("slow" + std::to_string(i))) ++given;
  }
  ended = true;
  pauses.join();
  EXPECT_GT(steady_clock::now() - began, milliseconds{600}) << "it was not slow";
  EXPECT_EQ(given, 8);
  EXPECT_TRUE(eventually([this] { return is_ready(); }, recovery_bound));
  expect_true(*node_, told_, stock);
}

TEST_F(RedisFaults, AServerThatLoadsItsDataIsWaitedForAndThenDecides) {
  // Each key takes 5 ms to load, and what is asked meanwhile is answered LOADING.
  start({.lines = {"appendonly no", "key-load-delay 5000", "loading-process-events-interval-bytes 1024"}});
  const std::string filler(2'000, 'x');
  for (int i = 0; i < 400; ++i) server_->command({"SET", "filler" + std::to_string(i), filler});
  ASSERT_EQ(server_->text({"SAVE"}), "OK");
  server_->kill();
  std::atomic<bool> ended = false;
  std::atomic<bool> told = false;
  std::thread looks([&] {
    while (!ended) {
      if (node_->engine().readiness().reason.find("LOADING") != std::string::npos) told = true;
      std::this_thread::yield();
    }
  });
  server_->start();
  ended = true;
  looks.join();
  EXPECT_TRUE(told) << "LOADING was never told";
  ASSERT_TRUE(eventually([this] { return is_ready(); }, recovery_bound));
  EXPECT_TRUE(reserve("after"));
  expect_true(*node_, told_, stock);
}

// KNOWN-BUGS 23: where the stock is gone, everything must not read as sold out.
TEST_F(RedisFaults, AnEmptiedServerIsLostAndStaysLost) {
  server_->command({"FLUSHALL"});
  expect_outage({FailureCode::store_lost}, "store");
  const ReservationRef before{SaleHandle{1}, Number{1}};
  const auto until = steady_clock::now() + seconds{3};
  for (int asked = 0; asked < 20 || steady_clock::now() < until; ++asked) {
    const auto answer = reserve("again");
    ASSERT_FALSE(answer);
    ASSERT_EQ(answer.error().code, FailureCode::store_lost) << answer.error().detail;
    const auto sale = node_->ask(GetSale{"s"});
    ASSERT_FALSE(sale);
    ASSERT_EQ(sale.error().code, FailureCode::store_lost);
    const auto unheard = node_->ask(GetSale{"never-made"});
    ASSERT_FALSE(unheard);
    ASSERT_EQ(unheard.error().code, FailureCode::store_lost);
    const auto reservation = node_->ask(GetReservation{before});
    ASSERT_FALSE(reservation);
    const auto created = node_->ask(CreateSale{terms_of("new", 5)});
    ASSERT_FALSE(created);
    ASSERT_FALSE(is_ready());
  }
  EXPECT_EQ(server_->text({"DBSIZE"}), "0") << "it has made something in a store that is not its own";
}

TEST_F(RedisFaults, ARestartWithoutDataIsLost) {
  server_->kill();
  server_->start();
  ASSERT_TRUE(eventually([this] { return tells("store"); }, recovery_bound)) << last_.reason;
  for (int i = 0; i < 20; ++i) {
    const auto answer = reserve("after");
    ASSERT_FALSE(answer);
    ASSERT_EQ(answer.error().code, FailureCode::store_lost) << answer.error().detail;
  }
  EXPECT_EQ(server_->text({"DBSIZE"}), "0");
}

TEST_F(RedisFaults, ASaleWhoseKeysAloneAreGoneIsLost) {
  const engine::SaleKeys keys(node_->ask(GetSale{"s"})->sale.handle);
  ASSERT_EQ(server_->text({"DEL", keys.hash, keys.stream}), "2");
  expect_outage({FailureCode::store_lost}, "lost the sale s");
  // Others, also new ones, see the same.
  RedisNode another(node_options());
  const auto answer = another.reserve("b");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, FailureCode::store_lost);
  EXPECT_EQ(server_->text({"EXISTS", keys.hash, keys.stream}), "0");
}

TEST_F(RedisFaults, NoKeyOfASaleHasATimeToLive) {
  for (const testing::RedisAnswer& key : server_->command({"KEYS", "*"}).elements) {
    EXPECT_EQ(server_->text({"TTL", key.text}), "-1") << key.text;
  }
}

TEST_F(RedisFaults, AnotherNodesNewStoreIsNotTakenForOurs) {
  const SaleHandle handle = node_->ask(GetSale{"s"})->sale.handle;
  server_->command({"FLUSHALL"});
  RedisNode another(options_for("redis://" + server_->address()));
  create_sale(another, 7);
  ASSERT_EQ(another.ask(GetSale{"s"})->sale.handle, handle) << "the test needs the same handle";
  expect_outage({FailureCode::store_lost}, "another one");
  for (int i = 0; i < 20; ++i) {
    const auto answer = reserve("c" + std::to_string(i));
    ASSERT_FALSE(answer);
    ASSERT_EQ(answer.error().code, FailureCode::store_lost) << answer.error().detail;
  }
  const auto sale = another.ask(GetSale{"s"});
  ASSERT_TRUE(sale);
  EXPECT_EQ(sale->sale.available, 7);
  EXPECT_TRUE(another.reserve("theirs"));
}

TEST_F(RedisFaults, AStoreThatWasPutBackIsServedAgain) {
  ASSERT_EQ(server_->text({"SAVE"}), "OK");
  const std::filesystem::path dump = server_->folder() / "dump.rdb";
  std::filesystem::copy_file(dump, server_->folder() / "kept.rdb");
  server_->command({"FLUSHALL"});
  expect_outage({FailureCode::store_lost}, "store");
  server_->kill();
  std::filesystem::copy_file(server_->folder() / "kept.rdb", dump, std::filesystem::copy_options::overwrite_existing);
  server_->start();
  expect_recovery();
}

}  // namespace
}  // namespace firstcome::test
