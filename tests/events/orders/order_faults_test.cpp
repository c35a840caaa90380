// Trouble of the database: nothing is lost, nothing is stored twice, and it goes on by itself when the trouble is over.
#include "engine/sql/sql_connecting.hpp"
#include "events/orders/order_databases.hpp"
#include "events/orders/order_sink.hpp"
#include "support/tcp_proxy.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <future>
#include <thread>

namespace firstcome::events {
namespace {

using enum EventType;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;

/// While it lives, no file of this process may become longer.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit small = before_;
    small.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  const sighandler_t handler_;
  rlimit before_{};
};

class OrderFaults : public OnEachDatabase {
 protected:
  Trouble::Kind trouble_with(const std::vector<Event>& events) {
    const auto result = store->store(events);
    EXPECT_FALSE(result) << "it was stored";
    return result ? Trouble::Kind::other : result.error().kind;
  }
  /// Holds the row of one order, in a session of somebody else's.
  void lock_order(SqlSession& session, std::uint64_t number) {
    session.run(session.dialect().begin());
    session.run(fmt::format("UPDATE orders SET currency = 'EUR' WHERE reservation = '{}'", reservation_id(number)));
  }
};
FIRSTCOME_ON_EACH_DATABASE(OrderFaults);

class OrderServerFaults : public OrderFaults {};
FIRSTCOME_ON_DATABASES(OrderServerFaults, Kind::postgresql, Kind::mariadb);

class OrderPostgresqlFaults : public OrderFaults {};
FIRSTCOME_ON_DATABASES(OrderPostgresqlFaults, Kind::postgresql);

class OrderFileFaults : public OrderFaults {};
FIRSTCOME_ON_DATABASES(OrderFileFaults, Kind::sqlite);

TEST_P(OrderServerFaults, AServerThatWasKilledIsFoundAgain) {
  must_store({confirmed(1, 1)});
  database->server().kill();
  EXPECT_EQ(trouble_with({confirmed(2, 2)}), Trouble::Kind::connection);
  EXPECT_EQ(store->failed_count().error().kind, Trouble::Kind::connection);
  database->server().start();
  EXPECT_EQ(must_store({confirmed(2, 2)}).written, 1U);
  EXPECT_EQ(rows("orders"), 2U);
  EXPECT_EQ(store->failed_count().value(), 0U) << "the event was not to blame";
}

/// Ten milliseconds for each order: no statement of all of them ends in its time, however often it is sent.
TEST_P(OrderServerFaults, AServerThatIsTooSlowForAStatementGetsSmallerOnes) {
  SqlSession console = database->console();
  if (GetParam() == Kind::postgresql) {
    console.run(
        "CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END'");
    console.run("CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION be_slow()");
  } else {
    console.run("CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW SET @slow = SLEEP(0.01)");
  }
  OrderStoreOptions options = database->options();
  options.statement_timeout = 300ms;
  const auto slow = OrderStore::open(options).value();
  const std::vector<Event> events = confirmed_in_a_row(100);
  int too_slow = 0;
  for (auto stored = slow->store(events); !stored; stored = slow->store(events)) {
    ASSERT_EQ(stored.error().kind, Trouble::Kind::timeout) << stored.error().sentence;
    ASSERT_LT(++too_slow, 8) << "as many rows again";
  }
  EXPECT_GT(too_slow, 0);
  EXPECT_EQ(rows("orders"), 100U);
  EXPECT_EQ(slow->failed_count().value(), 0U);
}

TEST_P(OrderServerFaults, AServerThatWasStartedAgainBetweenTwoBatchesIsNotNoticed) {
  must_store({confirmed(1, 1)});
  database->server().kill();
  database->server().start();
  EXPECT_EQ(must_store({confirmed(2, 2)}).written, 1U);
  EXPECT_EQ(rows("orders"), 2U);
}

TEST_P(OrderServerFaults, AServerKilledWhileItStoresLosesNothingAndDoublesNothing) {
  constexpr std::uint64_t count = 20'000;
  const std::vector<Event> events = confirmed_in_a_row(count);
  std::atomic<std::size_t> arrived{0};
  std::atomic<int> troubles{0};
  std::thread writer([&] {
    for (std::size_t i = 0; i < events.size();) {
      const std::size_t size = std::min<std::size_t>(200, events.size() - i);
      if (store->store(std::span(events).subspan(i, size))) {
        i += size;
        arrived = i;
      } else {
        ++troubles;
      }
    }
  });
  for (std::size_t round = 1; round <= 3; ++round) {
    const std::size_t upto = round * events.size() / 5;
    EXPECT_TRUE(eventually([&] { return arrived >= upto; }));
    database->server().kill();
    EXPECT_TRUE(eventually([&] { return troubles > 0; }));
    database->server().start();
    troubles = 0;
  }
  writer.join();
  EXPECT_EQ(rows("orders"), count);
  EXPECT_EQ(rows("payments"), count);
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_P(OrderServerFaults, AConnectionCutAnywhereLosesNothingAndDoublesNothing) {
  testing::TcpProxy proxy(database->server().port());
  auto options = database->options();
  options.database.server.hosts.front().port = proxy.port();
  store = OrderStore::open(options).value();
  std::uint64_t number = 0;
  // The answers to one batch are a few hundred bytes: begun, looked, written, written, committed.
  for (std::size_t bytes = 1; bytes < 400; bytes += 7) {
    const std::vector<Event> batch{confirmed(number + 1, number + 1), confirmed(number + 2, number + 2)};
    number += 2;
    proxy.cut_after(bytes, testing::TcpProxy::Direction::to_client);
    EXPECT_TRUE(eventually([&] { return store->store(batch).has_value(); }));
  }
  EXPECT_GE(proxy.accepted(), 10U) << "it was cut in the midst of batches";
  EXPECT_EQ(rows("orders"), number);
  EXPECT_EQ(rows("payments"), number);
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_P(OrderServerFaults, AServerThatDoesNotAnswerIsGivenUp) {
  testing::TcpProxy proxy(database->server().port());
  auto options = database->options();
  options.database.server.hosts.front().port = proxy.port();
  options.connect_timeout = 1s;
  options.statement_timeout = 1s;
  store = OrderStore::open(options).value();
  must_store({confirmed(1, 1)});
  proxy.stall();
  EXPECT_EQ(trouble_with({confirmed(2, 2)}), Trouble::Kind::connection);
  proxy.resume();
  proxy.cut();
  EXPECT_EQ(must_store({confirmed(2, 2)}).written, 1U);
  EXPECT_EQ(rows("orders"), 2U);
}

// The end of a process does not wait for as long as a statement, a lock or a connection may take.
TEST_P(OrderServerFaults, AStoreThatIsToldToStopGivesUpWhateverItWaitsFor) {
  testing::TcpProxy proxy(database->server().port());
  std::stop_source process;
  auto options = database->options();
  options.database.server.hosts.front().port = proxy.port();
  options.connect_timeout = 10min;
  options.statement_timeout = 10min;
  options.lock_timeout = 10min;
  options.stop = process.get_token();
  store = OrderStore::open(options).value();
  must_store({confirmed(1, 1)});
  proxy.stall();
  const auto from = std::chrono::steady_clock::now();
  auto storing = std::async(std::launch::async, [&] { return store->store(std::vector{confirmed(2, 2)}); });
  auto opening = std::async(std::launch::async, [&] { return OrderStore::open(options); });
  EXPECT_EQ(storing.wait_for(100ms), std::future_status::timeout);
  EXPECT_TRUE(eventually([&] { return proxy.accepted() >= 2; })) << "the second connection is being made";
  process.request_stop();
  EXPECT_EQ(storing.get().error().kind, Trouble::Kind::connection);
  EXPECT_THAT(opening.get().error(), HasSubstr("stopped"));
  EXPECT_LT(std::chrono::steady_clock::now() - from, 5 * 2s);
  EXPECT_EQ(engine::connections_given_up(), 1U);
  proxy.cut();
  EXPECT_TRUE(eventually([] { return engine::connections_given_up() == 0; })) << "it ends by itself";
}

TEST_P(OrderFaults, ALockThatSomebodyHoldsIsTroubleUntilItIsGivenBack) {
  must_store(confirmed_in_a_row(3));
  SqlSession somebody = database->console();
  lock_order(somebody, 2);
  const std::vector<Event> batch{confirmed(4, 4), event(reservation_returned, 2, 9)};
  EXPECT_EQ(trouble_with(batch), Trouble::Kind::busy);
  EXPECT_EQ(database->console().ask_number("SELECT COUNT(*) FROM failed_events"), 0U);
  somebody.run("ROLLBACK");
  EXPECT_EQ(must_store(batch).written, 2U);
  EXPECT_EQ(rows("orders"), 4U);
  EXPECT_EQ(store->order(reservation_id(2)).value()->state, OrderState::returned);
}

TEST_P(OrderServerFaults, ADeadlockIsTriedAgain) {
  must_store(confirmed_in_a_row(2));
  auto options = database->options();
  options.lock_timeout = 20s;
  options.statement_timeout = 30s;
  store = OrderStore::open(options).value();
  SqlSession somebody(session_options(options));
  lock_order(somebody, 2);
  // We lock 1 and wait for 2; then somebody who has 2 wants 1.
  auto storing = std::async(std::launch::async, [&] {
    return store->store(std::vector{event(reservation_returned, 1, 8), event(reservation_returned, 2, 9)});
  });
  const std::string waiting = GetParam() == Kind::postgresql
                                  ? "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                  : "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
  EXPECT_TRUE(eventually([&] { return std::stoi(database->server().ask(waiting)) > 0; }));
  try {
    somebody.run(fmt::format("UPDATE orders SET quantity = 7 WHERE reservation = '{}'", reservation_id(1)));
    somebody.run("COMMIT");
  } catch (const SqlFailure& failure) {
    EXPECT_EQ(failure.kind, Trouble::Kind::busy) << failure.sentence;  // it was the one who had to give way
    somebody.run("ROLLBACK");
  }
  const auto stored = storing.get();
  ASSERT_TRUE(stored) << stored.error().sentence;
  EXPECT_EQ(stored->written, 2U);
  EXPECT_EQ(store->order(reservation_id(1)).value()->state, OrderState::returned);
  EXPECT_EQ(store->order(reservation_id(2)).value()->state, OrderState::returned);
}

TEST_P(OrderPostgresqlFaults, ASerializationFailureIsTriedAgain) {
  must_store(confirmed_in_a_row(2));
  database->server().ask("ALTER DATABASE shop SET default_transaction_isolation = 'serializable'");
  auto options = database->options();
  options.lock_timeout = 20s;
  options.statement_timeout = 30s;
  store = OrderStore::open(options).value();
  SqlSession somebody(session_options(options));
  lock_order(somebody, 2);
  auto storing =
      std::async(std::launch::async, [&] { return store->store(std::vector{event(reservation_returned, 2, 9)}); });
  EXPECT_TRUE(eventually([&] {
    return std::stoi(database->server().ask("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")) >
           0;
  }));
  somebody.run("COMMIT");  // what we read is now older than what we would change
  const auto stored = storing.get();
  ASSERT_TRUE(stored) << stored.error().sentence;
  EXPECT_EQ(store->order(reservation_id(2)).value()->state, OrderState::returned);
  EXPECT_EQ(store->order(reservation_id(2)).value()->currency, "EUR") << "somebody's change is there";
}

TEST_P(OrderPostgresqlFaults, ADatabaseThatIsReadOnlyIsTroubleAndNotTheEventsFault) {
  must_store({confirmed(1, 1)});
  database->server().ask("ALTER DATABASE shop SET default_transaction_read_only = on");
  database->server().kill();
  database->server().start();
  EXPECT_EQ(trouble_with({confirmed(2, 2)}), Trouble::Kind::read_only);
  database->server().ask("ALTER DATABASE shop SET default_transaction_read_only = off");
  EXPECT_EQ(must_store({confirmed(2, 2)}).written, 1U);
}

TEST_P(OrderFileFaults, AFullDiskIsTroubleUntilThereIsRoom) {
  const std::vector<Event> events = confirmed_in_a_row(5'000);
  {
    const FileSizeLimit small(200'000);
    // To SQLite a file that may not grow is a failed write, and a full disk is one of its own.
    EXPECT_THAT(trouble_with(events), ::testing::AnyOf(Trouble::Kind::full, Trouble::Kind::connection));
  }
  EXPECT_EQ(rows("orders"), 0U) << "nothing of the batch";
  EXPECT_EQ(must_store(events).written, 5'000U);
  EXPECT_EQ(rows("orders"), 5'000U);
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_P(OrderServerFaults, WrongCredentialsAreSaidWithoutThePassword) {
  auto options = database->options();
  options.database.server.password = "wrong'\\ one";
  const auto opened = OrderStore::open(options);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), Not(HasSubstr("wrong'")));
  EXPECT_THAT(opened.error(), HasSubstr("127.0.0.1"));
  EXPECT_THAT(opened.error(), ::testing::AnyOf(HasSubstr("authentication"), HasSubstr("Access denied")));
}

TEST_P(OrderFaults, TablesThatAreNewerAreNotTouched) {
  database->console().run("UPDATE firstcome_schema SET version = 99");
  const auto opened = OrderStore::open(database->options());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), HasSubstr("version 99"));
  EXPECT_EQ(database->console().ask_number("SELECT version FROM firstcome_schema"), 99U);
}

TEST_P(OrderFaults, TablesOfSomebodyElseAreNotTaken) {
  store.reset();
  database->console().run("DROP TABLE firstcome_schema");
  const auto opened = OrderStore::open(database->options());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), HasSubstr("did not make"));
}

TEST_P(OrderFaults, ManyServicesMayMakeTheTablesAtOnce) {
  store.reset();
  for (const char* table : {"orders", "payments", "failed_events", "discarded_events", "firstcome_told",
                            "firstcome_settled", "firstcome_schema"}) {
    database->console().run(fmt::format("DROP TABLE {}", table));
  }
  auto options = database->options();
  options.lock_timeout = 20s;
  std::vector<std::future<std::string>> opening;
  for (int i = 0; i < 8; ++i) {
    opening.push_back(std::async(std::launch::async, [&] {
      const auto opened = OrderStore::open(options);
      return opened ? "" : opened.error();
    }));
  }
  for (auto& one : opening) EXPECT_EQ(one.get(), "");
  EXPECT_EQ(rows("firstcome_schema"), 1U);
}

TEST_P(OrderFaults, TheSinkStoresAndTriesFailedEventsAgainByItself) {
  database->refuse_poison();
  OrderStoreOptions options = database->options();
  options.now = wall_clock;
  auto sink = OrderSink::open(options).value();
  std::vector<Event> events = confirmed_in_a_row(1'000);
  events[10].customer = "poison";
  ASSERT_TRUE(sink->deliver(events, {}, {}));
  EXPECT_EQ(rows("orders"), 999U);
  EXPECT_TRUE(eventually([&] { return sink->failed() == 1; }));
  database->take_poison();
  EXPECT_TRUE(eventually([&] { return sink->failed() == 0; }));
  EXPECT_EQ(rows("orders"), 1'000U);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(sink->deliver(events, {}, stopped.get_token()).error(), "stopped");
}

}  // namespace
}  // namespace firstcome::events
