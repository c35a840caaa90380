// A store that lost part of its past: a restored backup, a Redis that starts from its last save. Nobody gets the id of
// another, no new customer's order is dropped, and the operator is told until it is settled.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/run_program.hpp"
#include "support/server_process.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct Bought {
  std::string id;
  std::int64_t number = 0;
};

/// One server that can be stopped and started again.
class Shop {
 public:
  Shop(std::filesystem::path data, std::vector<std::string> arguments)
      : data_(std::move(data)), arguments_(std::move(arguments)) {
    start();
  }

  void start() { server_ = std::make_unique<ServerProcess>(data_, arguments_); }
  void stop() {
    server_->process().signal(SIGTERM);
    ASSERT_EQ(server_->process().wait(60s), 0);
    server_.reset();
  }
  std::uint16_t port() const { return server_->port(); }
  std::string log() const { return server_->log(); }

  HttpAnswer get(const std::string& target) { return BlockingClient(port()).request("GET", target).value(); }
  bool says(const std::string& target, const std::string& text) { return get(target).body.contains(text); }
  void create_sale() {
    const auto answer =
        BlockingClient(port()).request("POST", "/v1/sales", R"({"id":"t","kind":"product","hold_ms":0,"stock":100})");
    ASSERT_EQ(answer.value().status, 201U) << answer->body;
  }
  Bought buy(const std::string& customer) {
    const auto answer =
        BlockingClient(port()).request("POST", "/v1/sales/t/reservations", R"({"customer":")" + customer + R"("})");
    EXPECT_EQ(answer.value().status, 201U) << answer->body;
    const auto json = parse_json(answer->body);
    return {text_of(json, "id"), integer_of(json, "number")};
  }
  std::size_t orders_of(const std::string& customer) {
    const HttpAnswer answer = get("/v1/orders?customer=" + customer);
    if (answer.status != 200) return 0;
    return parse_json(answer.body).at("items").as_array().size();
  }
  void wait_for_orders_of(const std::vector<std::string>& customers) {
    for (const std::string& customer : customers) {
      EXPECT_TRUE(eventually([&] { return orders_of(customer) == 1; }, 75s)) << customer << '\n' << log();
    }
  }
  Ran audit(const std::string& database, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"audit", "--engine", "http://127.0.0.1:" + std::to_string(port()), "--database",
                               database, "--wait-ms", "0"});
    return run_program(std::move(more));
  }

 private:
  const std::filesystem::path data_;
  const std::vector<std::string> arguments_;
  std::unique_ptr<ServerProcess> server_;
};

/// What holds after Tuesday's two sales were lost and two others were made on Wednesday.
void expect_two_pasts(Shop& shop, const std::vector<Bought>& tuesday, const std::string& database) {
  std::vector<Bought> wednesday;
  for (const char* customer : {"wed-3", "wed-4"}) wednesday.push_back(shop.buy(customer));
  shop.wait_for_orders_of({"mon-1", "mon-2", "tue-3", "tue-4", "wed-3", "wed-4"});
  for (const Bought& lost : tuesday) {
    EXPECT_EQ(shop.get("/v1/reservations/" + lost.id).status, 404U) << "tue's id shows nobody else's reservation";
    for (const Bought& fresh : wednesday) {
      EXPECT_NE(fresh.id, lost.id);
      EXPECT_GT(fresh.number, lost.number);
    }
  }
  EXPECT_THAT(shop.log(), HasSubstr("the store has lost part of its past"));
  EXPECT_EQ(shop.get("/readyz").status, 200U) << "it sells on";
  // On Redis both are brought up to date now and then.
  EXPECT_TRUE(eventually([&] { return shop.says("/readyz", "lost part of its past"); })) << shop.get("/readyz").body;
  EXPECT_TRUE(eventually([&] { return shop.says("/metrics", "\nfirstcome_store_losses 1\n"); }));
  EXPECT_THAT(shop.get("/v1/sales/t/audit").body, HasSubstr(R"("ok":false)"));

  const Ran audit = shop.audit(database);
  EXPECT_EQ(audit.code, 2) << audit.output;
  EXPECT_THAT(audit.output, HasSubstr("the store has lost reservations 3 to 4 of sale t"));
  EXPECT_THAT(audit.output, HasSubstr(tuesday[0].id));

  const Ran settled = shop.audit(database, {"--settle", "both were called", "--by", "mina"});
  EXPECT_EQ(settled.code, 0) << settled.output << settled.error;
  EXPECT_EQ(shop.audit(database).code, 0);
  EXPECT_TRUE(eventually([&] { return !shop.says("/readyz", "lost"); })) << shop.get("/readyz").body;
  EXPECT_THAT(shop.get("/v1/sales/t/audit").body, HasSubstr(R"("ok":true)"));
  EXPECT_EQ(shop.orders_of("tue-3"), 1U) << "the order stays";
}

std::vector<Bought> sell_on_tuesday(Shop& shop) {
  std::vector<Bought> tuesday;
  for (const char* customer : {"tue-3", "tue-4"}) tuesday.push_back(shop.buy(customer));
  shop.wait_for_orders_of({"tue-3", "tue-4"});
  return tuesday;
}

/// Monday's folder comes back; the orders are elsewhere and have not been lost.
void restore_mondays_folder(const std::string& database) {
  TemporaryFolder folder;
  const auto data = folder.path() / "data";
  const auto monday = folder.path() / "monday";
  Shop shop(data, {"--orders", database});
  shop.create_sale();
  for (const char* customer : {"mon-1", "mon-2"}) shop.buy(customer);
  shop.wait_for_orders_of({"mon-1", "mon-2"});
  shop.stop();
  std::filesystem::copy(data, monday, std::filesystem::copy_options::recursive);
  shop.start();
  const std::vector<Bought> tuesday = sell_on_tuesday(shop);
  shop.stop();
  std::filesystem::remove_all(data);
  std::filesystem::copy(monday, data, std::filesystem::copy_options::recursive);
  shop.start();
  expect_two_pasts(shop, tuesday, database);
}

TEST(RestoredBackup, WithOrdersInAnotherFileLosesNoNewCustomer) {
  TemporaryFolder elsewhere;
  restore_mondays_folder("sqlite://" + (elsewhere.path() / "orders.db").string());
}

TEST(RestoredBackup, WithOrdersInPostgresqlLosesNoNewCustomer) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer database;
  restore_mondays_folder(database.url());
}

// As after a backup of both files one after the other while the server sold.
TEST(RestoredBackup, WhoseOrdersAreSomeEventsAheadLosesNoNewCustomer) {
  TemporaryFolder folder;
  const auto data = folder.path() / "data";
  Shop shop(data, {});
  shop.create_sale();
  for (const char* customer : {"mon-1", "mon-2"}) shop.buy(customer);
  shop.wait_for_orders_of({"mon-1", "mon-2"});
  shop.stop();
  std::filesystem::copy_file(data / "firstcome.db", folder.path() / "backup.db");
  shop.start();
  const std::vector<Bought> tuesday = sell_on_tuesday(shop);
  shop.stop();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove((data / "firstcome.db").string() + suffix);
  std::filesystem::copy_file(folder.path() / "backup.db", data / "firstcome.db");
  shop.start();
  expect_two_pasts(shop, tuesday, "sqlite://" + (data / "orders.db").string());
}

// Nothing outside remembers: the folder with its orders is set back as a whole.
TEST(RestoredBackup, OfEverythingGivesNobodyTheIdOfAnother) {
  TemporaryFolder folder;
  const auto data = folder.path() / "data";
  const auto monday = folder.path() / "monday";
  Shop shop(data, {});
  shop.create_sale();
  shop.buy("mon-1");
  shop.wait_for_orders_of({"mon-1"});
  shop.stop();
  std::filesystem::copy(data, monday, std::filesystem::copy_options::recursive);
  shop.start();
  const Bought lost = shop.buy("tue-2");
  shop.stop();
  std::filesystem::remove_all(data);
  std::filesystem::copy(monday, data, std::filesystem::copy_options::recursive);
  shop.start();
  EXPECT_NE(shop.buy("wed-2").id, lost.id);
  EXPECT_EQ(shop.get("/v1/reservations/" + lost.id).status, 404U);
  shop.wait_for_orders_of({"mon-1", "wed-2"});
  EXPECT_EQ(shop.audit("sqlite://" + (data / "orders.db").string()).code, 0) << "there is but one past";
}

/// One server on one Redis, whose orders are elsewhere.
class RolledBackRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    FIRSTCOME_NEEDS_SQL(PostgresServer);
    redis.emplace();
    database.emplace();
    shop.emplace(folder.path() / "data",
                 std::vector<std::string>{"--engine", "redis://" + redis->address(), "--orders", database->url()});
    shop->create_sale();
    for (const char* customer : {"mon-1", "mon-2"}) monday.push_back(shop->buy(customer));
    shop->wait_for_orders_of({"mon-1", "mon-2"});
    ASSERT_EQ(redis->text({"SAVE"}), "OK");
  }

  void start_from_the_save() {
    redis->kill();
    redis->start();
  }
  bool is_ready() { return shop->get("/readyz").status == 200; }

  TemporaryFolder folder;
  std::optional<RedisServer> redis;
  std::optional<PostgresServer> database;
  std::optional<Shop> shop;
  std::vector<Bought> monday;
};

TEST_F(RolledBackRedis, LosesNoNewCustomerOfAServerThatRunsOn) {
  const std::vector<Bought> tuesday = sell_on_tuesday(*shop);
  start_from_the_save();
  ASSERT_TRUE(eventually([&] { return is_ready(); }, 60s)) << shop->log();
  expect_two_pasts(*shop, tuesday, database->url());
}

TEST_F(RolledBackRedis, IsFoundOutByTheOrdersWhereNoServerRemembers) {
  const std::vector<Bought> tuesday = sell_on_tuesday(*shop);
  shop->stop();
  start_from_the_save();
  shop->start();
  expect_two_pasts(*shop, tuesday, database->url());
}

TEST_F(RolledBackRedis, ThatIsEmptyIsAnotherStore) {
  ASSERT_EQ(redis->text({"FLUSHALL"}), "OK");
  EXPECT_TRUE(eventually([&] { return !is_ready(); }, 60s)) << "it is never taken for a sold-out sale";
  shop->stop();
  shop->start();
  shop->create_sale();
  const Bought fresh = shop->buy("wed-1");
  shop->wait_for_orders_of({"mon-1", "mon-2", "wed-1"});
  for (const Bought& lost : monday) {
    EXPECT_NE(fresh.id, lost.id);
    EXPECT_EQ(shop->get("/v1/reservations/" + lost.id).status, 404U);
  }
  const Ran audit = shop->audit(database->url());
  EXPECT_EQ(audit.code, 2) << audit.output;
  EXPECT_THAT(audit.output, HasSubstr(monday[0].id));
}

}  // namespace
}  // namespace firstcome::testing
