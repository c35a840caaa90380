// The three databases as inventories of guarded engines, as tests use them: real ones, and nodes that sell from them.
#pragma once

#include "engine/guarded/guard.hpp"
#include "engine/guarded/sql/sql_inventory.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace firstcome::engine {

using namespace std::chrono_literals;

using Kind = DatabaseUrl::Kind;

inline std::string name_of(Kind kind) {
  return kind == Kind::sqlite ? "sqlite" : kind == Kind::postgresql ? "postgresql" : "mariadb";
}

/// The features of a database that sell.
inline std::vector<GuardKind> sellers_of(Kind kind) {
  std::vector<GuardKind> guards{GuardKind::optimistic, GuardKind::conditional_update, GuardKind::unique_key};
  if (kind != Kind::sqlite) guards.insert(guards.end(), {GuardKind::row_lock, GuardKind::one_statement});
  if (kind == Kind::postgresql) guards.push_back(GuardKind::advisory_lock);
  if (kind == Kind::mariadb) guards.push_back(GuardKind::named_lock);
  return guards;
}

/// One database, for a whole test program: a server takes a second to start.
class TestInventory {
 public:
  explicit TestInventory(Kind kind) {
    if (kind == Kind::postgresql) server_ = std::make_unique<testing::PostgresServer>();
    if (kind == Kind::mariadb) server_ = std::make_unique<testing::MariadbServer>();
    if (kind == Kind::postgresql) server_->ask("ALTER DATABASE shop SET client_min_messages = error");
  }

  DatabaseUrl url() const {
    return parse_database_url(server_ ? server_->url() : "sqlite://" + (folder_.path() / "stock.db").string(),
                              "inventory")
        .value();
  }
  testing::SqlTestServer& server() { return *server_; }

 private:
  testing::TemporaryFolder folder_;
  std::unique_ptr<testing::SqlTestServer> server_;
};

/// One node: what its sessions share.
class TestNode {
 public:
  explicit TestNode(GuardedOptions options) : options_(std::move(options)) {
    const bool beside = options_.guard == GuardKind::none || options_.guard == GuardKind::mutex;
    if (beside) guard_ = make_guard(options_, waits_).value();
  }

  std::unique_ptr<InventorySession> open() {
    auto session = make_sql_inventory({.options = options_, .guard = guard_.get(), .waits = waits_});
    secret = session->open();
    return session;
  }
  const GuardWaits& waits() const { return waits_; }

  StoreSecret secret{};

 private:
  const GuardedOptions options_;
  GuardWaits waits_;
  std::unique_ptr<Guard> guard_;
};

/// A test that runs with each of them.
class OnEachInventory : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::postgresql) {
      FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
    } else if (GetParam() == Kind::mariadb) {
      FIRSTCOME_NEEDS_SQL(testing::MariadbServer);
    }
    auto& made = inventories()[GetParam()];
    if (!made) made = std::make_unique<TestInventory>(GetParam());
    inventory = made.get();
  }
  /// On the main thread, which a server must not outlive.
  static void TearDownTestSuite() { inventories().clear(); }

  GuardedOptions options(GuardKind guard, std::string node = "a") const {
    GuardedOptions options;
    options.inventory = inventory->url();
    options.guard = guard;
    options.node = std::move(node);
    options.wait = std::chrono::minutes{1};  // on a busy machine a crowd takes its time
    return options;
  }

  /// A sale that no other test has.
  SaleTerms terms(Units stock) const {
    static std::atomic<int> sales = 0;
    SaleTerms terms;
    terms.id = fmt::format("sale-{}", ++sales);
    terms.name = "A sale";
    terms.stock = stock;
    terms.unit_price = 1'000;
    terms.hold = 0ms;
    return terms;
  }

  static Purchase purchase(const SaleView& sale, std::string customer, Units quantity = 1, KeyHash key = {}) {
    return {.sale = sale.handle,
            .terms = sale.terms,
            .customer = std::move(customer),
            .quantity = quantity,
            .reference = "ref",
            .key = key};
  }

  TestInventory* inventory = nullptr;

 private:
  static std::map<Kind, std::unique_ptr<TestInventory>>& inventories() {
    static std::map<Kind, std::unique_ptr<TestInventory>> all;
    return all;
  }
};

#define FIRSTCOME_ON_INVENTORIES(Suite, ...)                           \
  INSTANTIATE_TEST_SUITE_P(All, Suite, ::testing::Values(__VA_ARGS__), \
                           [](const auto& which) { return name_of(which.param); })
#define FIRSTCOME_ON_EACH_INVENTORY(Suite) \
  FIRSTCOME_ON_INVENTORIES(Suite, Kind::sqlite, Kind::postgresql, Kind::mariadb)

}  // namespace firstcome::engine
