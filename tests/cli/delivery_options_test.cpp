// What `serve`, `orders` and `audit` say to options that cannot be.
#include "engine/sql/database_url.hpp"
#include "events/orders/order_store.hpp"
#include "support/run_program.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Wrong {
  const char* name;
  std::vector<std::string> arguments;
  std::string option;
  std::string rule;  ///< a part of it
};

class WrongDelivery : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongDelivery, IsRefusedWithTheOptionAndTheRuleAndNeverThePassword) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = GetParam().arguments;
  if (arguments.front() == "serve") {
    const std::vector<std::string> more{"--data", (folder.path() / "data").string(), "--listen", "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
  }
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.code, 64) << ran.output;
  EXPECT_THAT(ran.error + ran.output, AllOf(HasSubstr(GetParam().option), HasSubstr(GetParam().rule)));
  EXPECT_THAT(ran.error + ran.output, Not(HasSubstr("hush")));
}

TEST(Program, NamesACommandThatThereIsNot) {
  const Ran ran = run_program({"foo"});
  EXPECT_EQ(ran.code, 64);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("no command 'foo'"), HasSubstr("--help")));
}

INSTANTIATE_TEST_SUITE_P(
    Options, WrongDelivery,
    ::testing::Values(
        Wrong{"EventsElsewhere", {"serve", "--events", "http://a"}, "--events", "kafka"},
        Wrong{"EventsPort", {"serve", "--events", "kafka://shop:hush@a:99999"}, "--events", "port"},
        Wrong{"OrdersElsewhere", {"serve", "--orders", "oracle://shop:hush@a/b"}, "--orders", "sqlite"},
        Wrong{"OrdersWithoutDatabase", {"serve", "--orders", "postgresql://shop:hush@a"}, "--orders", "database"},
        Wrong{"OutboxLimit", {"serve", "--outbox-limit", "many"}, "--outbox-limit", "many"},
        Wrong{"NoKafka", {"orders", "--database", "sqlite:///tmp/x.db"}, "--kafka", "required"},
        Wrong{"NoDatabase", {"orders", "--kafka", "kafka://a"}, "--database", "required"},
        Wrong{"OrdersListen",
              {"orders", "--kafka", "kafka://a", "--database", "sqlite:///tmp/x.db", "--listen", "0.0.0.0:1"},
              "--listen",
              "loopback"},
        Wrong{"AuditWithoutDatabase", {"audit"}, "--database", "required"},
        Wrong{
            "AuditServer", {"audit", "--database", "sqlite:///tmp/x.db", "--server", "redis://a"}, "--server", "http"}),
    [](const auto& one) { return one.param.name; });

TEST(Audit, OfAServerThatIsNotThereSaysSo) {
  const TemporaryFolder folder;
  const std::filesystem::path database = folder.path() / "orders.db";
  events::OrderStoreOptions options;
  options.database = engine::parse_database_url("sqlite://" + database.string(), "order database").value();
  ASSERT_TRUE(events::OrderStore::open(options)) << "makes the tables";
  const Ran ran =
      run_program({"audit", "--engine", "http://127.0.0.1:1", "--database", "sqlite://" + database.string()});
  EXPECT_EQ(ran.code, 69);
  EXPECT_THAT(ran.error, HasSubstr("http://127.0.0.1:1/v1/sales"));
}

}  // namespace
}  // namespace firstcome::testing
