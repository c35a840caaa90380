// The three databases that orders are stored in, as tests use them: real ones, each test with one of its own.
#pragma once

#include "events/orders/order_store.hpp"
#include "events/orders/sql_order_store.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::events {

using namespace std::chrono_literals;

using Kind = engine::DatabaseUrl::Kind;

class TestDatabase {
 public:
  explicit TestDatabase(Kind kind) : kind_(kind) {
    if (kind == Kind::postgresql) server_ = std::make_unique<testing::PostgresServer>();
    if (kind == Kind::mariadb) server_ = std::make_unique<testing::MariadbServer>();
    if (kind == Kind::postgresql) server_->ask("ALTER DATABASE shop SET client_min_messages = error");
  }

  std::string url() const { return server_ ? server_->url() : "sqlite://" + file(); }
  std::string file() const { return (folder_.path() / "orders of the shop.db").string(); }
  testing::SqlTestServer& server() { return *server_; }

  OrderStoreOptions options() {
    OrderStoreOptions options;
    options.database = engine::parse_database_url(escaped(url()), "order database").value();
    options.lock_timeout = 1s;
    options.statement_timeout = 5s;
    options.now = [this] { return now; };
    return options;
  }
  std::unique_ptr<OrderStore> open() {
    auto store = OrderStore::open(options());
    if (!store) throw std::runtime_error(store.error());
    return std::move(*store);
  }
  /// Another session, as of a person at the console.
  SqlSession console() { return SqlSession(session_options(options())); }

  /// From now on the database refuses orders of the customer `poison`.
  void refuse_poison() {
    console().run(kind_ == Kind::sqlite
                      ? "CREATE TRIGGER no_poison BEFORE INSERT ON orders WHEN NEW.customer = 'poison'"
                        " BEGIN SELECT RAISE(ABORT, 'no_poison'); END"
                      : "ALTER TABLE orders ADD CONSTRAINT no_poison CHECK (customer <> 'poison')");
  }
  void take_poison() {
    console().run(kind_ == Kind::sqlite ? "DROP TRIGGER no_poison" : "ALTER TABLE orders DROP CONSTRAINT no_poison");
  }

  Instant now{1'700'000'000'000ms};

 private:
  static std::string escaped(std::string text) {
    for (auto at = text.find(' '); at != std::string::npos; at = text.find(' ')) text.replace(at, 1, "%20");
    return text;
  }

  const Kind kind_;
  testing::TemporaryFolder folder_;
  std::unique_ptr<testing::SqlTestServer> server_;
};

inline std::string reservation_id(std::uint64_t number) {
  return fmt::format("{:0>{}}", number, engine::reservation_id_length);
}

/// The event that a reservation has at `sequence`, which is also the second at which it happened.
inline Event event(EventType type, std::uint64_t number, std::uint64_t sequence) {
  Event made;
  made.id = fmt::format("1-{}", sequence);
  made.type = type;
  made.sale = "ticket";
  made.sequence = sequence;
  made.reservation = reservation_id(number);
  made.number = Number{number};
  made.at = Instant{1'699'000'000'000ms + std::chrono::seconds(sequence)};
  made.customer = fmt::format("c-{}", number);
  made.quantity = 2;
  made.amount = 20'000;
  made.currency = "KRW";
  return made;
}

inline Event confirmed(std::uint64_t number, std::uint64_t sequence) {
  Event made = event(EventType::reservation_confirmed, number, sequence);
  made.payment = Payment{fmt::format("p-{}", number), "110-1"};
  return made;
}

/// `count` reservations confirmed, numbers and sequences from 1.
inline std::vector<Event> confirmed_in_a_row(std::uint64_t count) {
  std::vector<Event> events;
  for (std::uint64_t number = 1; number <= count; ++number) events.push_back(confirmed(number, number));
  return events;
}

inline std::string name_of(Kind kind) {
  return kind == Kind::sqlite ? "sqlite" : kind == Kind::postgresql ? "postgresql" : "mariadb";
}

/// A test that runs with each of them.
class OnEachDatabase : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::postgresql) {
      FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
    } else if (GetParam() == Kind::mariadb) {
      FIRSTCOME_NEEDS_SQL(testing::MariadbServer);
    }
    database = std::make_unique<TestDatabase>(GetParam());
    store = database->open();
  }

  /// What is stored, in one line for each order and payment.
  std::string stored() {
    std::string text;
    for (const auto& row : database->console().ask("SELECT number, customer, state, sequence, confirmed_at, updated_at"
                                                   " FROM orders ORDER BY reservation",
                                                   6)) {
      for (const auto& cell : row) text += cell.value_or("-") + " ";
      text += "\n";
    }
    for (const auto& row : database->console().ask(
             "SELECT reservation, payment_id, state, sequence FROM payments ORDER BY reservation", 4)) {
      for (const auto& cell : row) text += cell.value_or("-") + " ";
      text += "\n";
    }
    return text;
  }
  std::uint64_t rows(const std::string& table) {
    return database->console().ask_number("SELECT COUNT(*) FROM " + table);
  }
  Stored must_store(const std::vector<Event>& events) {
    const auto result = store->store(events);
    EXPECT_TRUE(result) << result.error().sentence;
    return result.value_or(Stored{});
  }

  std::unique_ptr<TestDatabase> database;
  std::unique_ptr<OrderStore> store;
};

#define FIRSTCOME_ON_DATABASES(Suite, ...)                             \
  INSTANTIATE_TEST_SUITE_P(All, Suite, ::testing::Values(__VA_ARGS__), \
                           [](const auto& which) { return name_of(which.param); })
#define FIRSTCOME_ON_EACH_DATABASE(Suite) FIRSTCOME_ON_DATABASES(Suite, Kind::sqlite, Kind::postgresql, Kind::mariadb)

}  // namespace firstcome::events
