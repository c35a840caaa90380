// What was answered is there again when the store is opened again, and one commit serves all who waited.
#include "engine/asking.hpp"
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/engine_thread.hpp"
#include "engine/embedded/rows.hpp"
#include "engine/embedded/sqlite.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

void write(std::ostream& out, const ReservationView& view) {
  out << value(view.ref.number) << ' ' << view.customer << ' ' << view.quantity << ' ' << view.reference << " state "
      << static_cast<int>(view.state) << " reason " << static_cast<int>(view.reason) << " amount " << view.amount
      << " created " << view.created_at.time_since_epoch().count() << " expires "
      << (view.expires_at ? view.expires_at->time_since_epoch().count() : 0) << " position "
      << view.position.value_or(0);
  if (view.payment) out << " paid " << view.payment->id << '/' << view.payment->account_number;
  out << '\n';
}

/// All that anybody can see of the store, but the measured rate.
std::string everything(EmbeddedHarness& harness) {
  std::ostringstream out;
  const SalesAnswer sales = harness.ask(ListSales{{}, 1'000}).value();
  for (const SaleView& sale : sales.items) {
    out << sale.terms.id << ' ' << value(sale.handle) << " stock " << sale.terms.stock << " state "
        << static_cast<int>(sale.state) << ' ' << sale.available << ' ' << sale.held << ' ' << sale.sold << " queued "
        << sale.queued << " serving " << value(sale.serving) << " closes "
        << (sale.terms.closes_at ? sale.terms.closes_at->time_since_epoch().count() : 0) << '\n';
    const ReservationsAnswer reservations = harness.ask(ListReservations{sale.terms.id, {}, {}, 1'000}).value();
    for (const ReservationView& view : reservations.items) write(out, view);
    EXPECT_TRUE(harness.ask(AuditSale{sale.terms.id}).value().ok) << sale.terms.id;
  }
  const EventsAnswer events = harness.ask(ReadEvents{{}, 0, 1'000}).value();
  for (const EventView& event : events.items)
    out << "event " << event.sequence << ' ' << event.sale_sequence << ' ' << static_cast<int>(event.type) << ' '
        << value(event.ref.number) << ' ' << event.customer << ' ' << event.value.value_or(-1) << '\n';
  return out.str();
}

/// A run through every command that changes something.
void do_everything(EmbeddedHarness& harness) {
  SaleTerms plain = terms_of("s", 6);
  plain.limit_per_customer = 3;
  plain.opens_at = harness.clock().now() - 1h;
  plain.closes_at = harness.clock().now() + 1h;
  harness.ask(CreateSale{plain}).value();
  SaleTerms queue = terms_of("waiting-room", 2);
  queue.queue = QueueTerms{1, 1s};
  queue.standby = Standby::yes;
  queue.kind = SaleKind::ticket;
  queue.max_open = 1;
  harness.ask(CreateSale{queue}).value();
  SaleTerms automatic = terms_of("auto", 3);
  automatic.payment = PaymentMode::automatic;
  harness.ask(CreateSale{automatic}).value();

  const auto reserve = [&](const char* sale, const char* customer, Units quantity = 1) {
    return harness.ask(Reserve{sale, customer, quantity, "order-7", key_of(customer)}).value().ref;
  };
  const ReservationRef paid = reserve("s", "paid");
  const ReservationRef declined = reserve("s", "declined");
  const ReservationRef elsewhere = reserve("s", "elsewhere", 2);
  const ReservationRef claimed = reserve("s", "claimed");
  const ReservationRef cancelled = reserve("s", "cancelled");
  harness.ask(BeginPayment{paid}).value();
  harness.ask(FinishPayment{paid, Charge::charged, {"p-1", "account"}}).value();
  harness.ask(BeginPayment{declined}).value();
  harness.ask(FinishPayment{declined, Charge::declined, {}}).value();
  harness.ask(Confirm{elsewhere, "shop-1"}).value();
  harness.ask(Return{elsewhere}).value();
  harness.ask(BeginPayment{claimed}).value();
  harness.ask(Cancel{cancelled}).value();
  for (const char* customer : {"q1", "q2", "q3", "q4"}) reserve("waiting-room", customer);
  for (const char* customer : {"a1", "a2"}) reserve("auto", customer);
  harness.ask(TakePaymentTasks{1}).value();
  harness.advance(1s);
  PatchSale patch;
  patch.sale = "s";
  patch.stock = 9;
  patch.closes_at = std::optional<Instant>{};
  harness.ask(patch).value();
  harness.advance(71s);
  // Paid too late, and nothing left: to be refunded.
  patch = {};
  patch.sale = "s";
  patch.stock = harness.ask(GetSale{"s"}).value().sale.sold;
  harness.ask(patch).value();
  harness.ask(FinishPayment{claimed, Charge::charged, {"p-2", "account"}}).value();
}

TEST(Durability, ShowsTheSameAfterARestart) {
  EmbeddedHarness harness;
  do_everything(harness);
  const std::string before = everything(harness);
  EXPECT_NE(before.find("state 7"), std::string::npos) << "paid_unfulfilled was meant to be among them\n" << before;
  harness.reopen();
  EXPECT_EQ(everything(harness), before);
  harness.reopen();
  EXPECT_EQ(everything(harness), before);
}

TEST(Durability, HandsOutPaymentWorkThatARestartHasInterrupted) {
  EmbeddedHarness harness;
  do_everything(harness);
  harness.reopen();
  std::map<PaymentTask::Action, int> count;
  const PaymentTasksAnswer answer = harness.ask(TakePaymentTasks{100}).value();
  for (const PaymentTask& task : answer.tasks) ++count[task.action];
  EXPECT_EQ(count[PaymentTask::Action::refund], 1);
}

TEST(Durability, RingsForPaymentWorkAlsoWhenMoreIsDueThanATurnDoes) {
  EmbeddedHarness harness;
  SaleTerms queue = terms_of("s", 6'000);
  queue.hold = Milliseconds{60'000};
  queue.standby = Standby::yes;
  queue.queue = QueueTerms{6'000, Milliseconds{10}};
  harness.ask(CreateSale{queue}).value();
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 5'000; ++i) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", "many", 1, {}, {}};
    harness.engine().submit(*asked.back());
  }
  while (!asked.back()->done) static_cast<void>(harness.engine().turn());
  harness.advance(Milliseconds{10});
  ASSERT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 5'000);

  SaleTerms charged = terms_of("auto", 1);
  charged.hold = Milliseconds{60'000};
  charged.standby = Standby::yes;
  charged.payment = PaymentMode::automatic;
  harness.ask(CreateSale{charged}).value();
  harness.ask(Reserve{"auto", "first", 1, {}, {}}).value();
  harness.ask(Reserve{"auto", "second", 1, {}, {}}).value();
  int rings = 0;
  harness.engine().on_payment_work([&] { ++rings; });
  harness.advance(Milliseconds{60'000});
  for (auto next = harness.engine().turn(); next && *next <= std::chrono::steady_clock::now();)
    next = harness.engine().turn();
  EXPECT_EQ(harness.ask(GetSale{"auto"}).value().sale.held, 1) << "the second has the unit";
  EXPECT_GT(rings, 0) << "nobody would charge it";
}

TEST(Durability, CommitsOnceForAllThatWait) {
  EmbeddedHarness harness;
  harness.ask(CreateSale{terms_of("s", 1'000)}).value();
  const auto before = harness.engine().counters();
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("c-" + std::to_string(i));
  std::vector<std::unique_ptr<Asked>> asked;
  for (const std::string& name : names) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", name, 1, {}, {}};
    harness.engine().submit(*asked.back());
  }
  static_cast<void>(harness.engine().turn());
  for (const auto& one : asked) EXPECT_TRUE(one->done);
  const auto after = harness.engine().counters();
  EXPECT_EQ(after.commits - before.commits, 1U);
  EXPECT_EQ(after.operations - before.operations, 500U);
  EXPECT_EQ(after.reservations, 500U);
}

TEST(Durability, GivesNoSaleANumberThatARowHasNoRoomFor) {
  EmbeddedHarness harness;
  harness.ask(CreateSale{terms_of("s", 9)}).value();
  harness.close();
  {
    auto connection = engine::sqlite::Connection::open(harness.file(), engine::sqlite::Access::read_write, "").value();
    engine::SaleRow row;
    auto select = connection.prepare("SELECT * FROM sale").value();
    ASSERT_EQ(select.step(), SQLITE_ROW);
    ASSERT_EQ(engine::read_sale(select, row), engine::RowCheck::good);
    select.reset();
    row.record.handle = SaleHandle{engine::last_sale_handle - 1};
    row.record.events = 0;
    ASSERT_TRUE(connection.execute("DELETE FROM sale; DELETE FROM outbox"));
    auto replace = connection.prepare(engine::replace_sale_sql).value();
    engine::bind_sale(replace, row);
    ASSERT_TRUE(replace.run());
  }
  harness.reopen();
  ASSERT_EQ(harness.ask(CreateSale{terms_of("last", 9)}).value().outcome, Outcome::done);
  harness.ask(Reserve{"last", "a", 1, {}, {}}).value();
  const auto refused = harness.ask(CreateSale{terms_of("one-more", 9)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, FailureCode::not_supported);
  EXPECT_EQ(harness.ask(CreateSale{terms_of("last", 9)}).value().outcome, Outcome::unchanged);
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"last"}).value().sale.held, 1);
}

TEST(Durability, CommitsNothingForReads) {
  EmbeddedHarness harness;
  harness.ask(CreateSale{terms_of("s", 1)}).value();
  const auto before = harness.engine().counters().commits;
  for (int i = 0; i < 10; ++i) harness.ask(GetSale{"s"}).value();
  EXPECT_EQ(harness.engine().counters().commits, before);
}

TEST(Durability, RefusesWhatIsOverTheBoundAndServesAgainAtOnce) {
  EmbeddedHarness harness;
  harness.queue_operations = 4;
  harness.reopen();
  harness.ask(CreateSale{terms_of("s", 100)}).value();
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", "c", 1, {}, {}};
    harness.engine().submit(*asked.back());
  }
  EXPECT_EQ(harness.engine().counters().waiting, 4U);
  for (const auto& one : asked) harness.finish(*one);
  for (std::size_t i = 0; i < 10; ++i) {
    if (i < 4) {
      EXPECT_EQ(asked[i]->as<ReserveAnswer>().outcome, Outcome::done);
    } else {
      EXPECT_EQ(asked[i]->answer.error().code, FailureCode::overloaded);
    }
  }
  EXPECT_EQ(harness.engine().counters().overloaded, 6U);
  EXPECT_EQ(harness.reserve("c").value().outcome, Outcome::done);
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 5);
}

TEST(Durability, NeverLetsTimeRunBackAcrossARestart) {
  EmbeddedHarness harness;
  harness.ask(CreateSale{terms_of("s", 9)}).value();
  const Instant last = harness.reserve("a").value().created_at;
  harness.close();
  harness.advance(-2h);
  harness.reopen();
  EXPECT_GE(harness.reserve("b").value().created_at, last);
  harness.advance(61s);  // time goes on: it does not stand still until the clock has caught up
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 0);
}

TEST(Durability, RemovesADeletedSalesRowsLittleByLittleAlsoAcrossARestart) {
  EmbeddedHarness harness;
  SaleTerms coupon = terms_of("s", 20'000);
  coupon.hold = 0ms;
  harness.ask(CreateSale{coupon}).value();
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 10'000; ++i) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", "c", 1, {}, {}};
    harness.engine().submit(*asked.back());
  }
  for (const auto& one : asked) harness.finish(*one);
  PatchSale close;
  close.sale = "s";
  close.state = PatchSale::State::closed;
  harness.ask(close).value();
  ASSERT_EQ(harness.ask(DeleteSale{"s"}).value().outcome, Outcome::done);
  harness.reopen();
  const auto count = [&](const char* sql) {
    auto connection = engine::sqlite::Connection::open(harness.file(), engine::sqlite::Access::read_only, "").value();
    return connection.integer(sql).value();
  };
  EXPECT_GT(count("SELECT count(*) FROM reservation"), 0) << "all were removed in one go";
  for (int turn = 0; turn < 100; ++turn) static_cast<void>(harness.engine().turn());
  EXPECT_EQ(count("SELECT count(*) FROM reservation"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM sale WHERE deleted = 2"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM sales"), 0);
  harness.reopen();
  EXPECT_GT(value(harness.ask(CreateSale{terms_of("s", 1)}).value().sale.handle), 1U);
}

TEST(Durability, ShowsPeopleTheirSaleInTheFile) {
  EmbeddedHarness harness;
  do_everything(harness);
  auto connection = engine::sqlite::Connection::open(harness.file(), engine::sqlite::Access::read_only, "").value();
  EXPECT_EQ(connection
                .text("SELECT state || ' ' || reason || ' ' || amount || ' ' || reference FROM reservations "
                      "WHERE sale = 's' AND customer = 'declined'")
                .value(),
            "cancelled payment-failed 1000 order-7");
  EXPECT_EQ(connection.text("SELECT created_at FROM reservations WHERE customer = 'paid'").value(),
            "2026-09-21T14:13:20.000Z");
  EXPECT_EQ(connection.integer("SELECT available + held + sold - stock FROM sales WHERE id = 'waiting-room'").value(),
            0);
  EXPECT_EQ(connection.text("SELECT type FROM events WHERE seq = 1").value(), "sale_created");
}

TEST(Durability, ServesSeveralThreadsThroughOneThatTakesTurns) {
  EmbeddedHarness harness;
  harness.close();
  auto opened = engine::EmbeddedEngine::open(harness.options());
  ASSERT_TRUE(opened) << opened.error().detail;
  {
    engine::EngineThread thread(std::move(*opened));
    const auto ask = [&](Command command) {
      auto asked = std::make_unique<Asked>();
      asked->command = std::move(command);
      thread.engine().submit(*asked);
      while (!asked->done) std::this_thread::yield();
      return asked;
    };
    ask(CreateSale{terms_of("s", 150)});
    std::vector<std::thread> crowd;
    std::mutex mutex;
    std::set<std::uint64_t> numbers;
    for (int t = 0; t < 2; ++t)
      crowd.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const std::string name = fmt::format("{}-{}", t, i);
          const auto asked = ask(Reserve{"s", name, 1, {}, {}});
          const auto& answer = asked->as<ReserveAnswer>();
          const std::lock_guard lock(mutex);
          if (answer.outcome == Outcome::done) numbers.insert(value(answer.ref.number));
        }
      });
    for (std::thread& member : crowd) member.join();
    EXPECT_EQ(numbers.size(), 150U);
    EXPECT_EQ(ask(AuditSale{"s"})->as<AuditAnswer>().held, 150);
  }
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 150);
}

TEST(Durability, AnswersOneAuditAtATime) {
  EmbeddedHarness harness;
  harness.ask(CreateSale{terms_of("s", 9)}).value();
  Asked first;
  Asked second;
  first.command = second.command = AuditSale{"s"};
  harness.engine().submit(first);
  harness.engine().submit(second);
  harness.finish(second);
  harness.finish(first);
  EXPECT_EQ(first.as<AuditAnswer>().outcome, Outcome::done);
  EXPECT_EQ(second.as<AuditAnswer>().outcome, Outcome::audit_running);
}

TEST(Durability, CompletesWhatStillWaitsWhenItIsClosed) {
  EmbeddedHarness harness;
  harness.ask(CreateSale{terms_of("s", 9)}).value();
  Asked waiting;
  waiting.command = Reserve{"s", "a", 1, {}, {}};
  harness.engine().submit(waiting);
  harness.close();
  ASSERT_TRUE(waiting.done);
  EXPECT_EQ(waiting.answer.error().code, FailureCode::stopping);
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 0);
}

}  // namespace
}  // namespace firstcome::test
