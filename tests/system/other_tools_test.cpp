// Other people's tools against the program, with the plans of examples/: what they count is what we count.
#include "support/blocking_client.hpp"
#include "support/jmeter.hpp"
#include "support/json.hpp"
#include "support/paths.hpp"
#include "support/run_program.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;

class OtherTools : public ::testing::Test {
 protected:
  void create(const std::string& sale) {
    const auto answer = client_.request("POST", "/v1/sales", sale);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 201U) << answer->body;
  }
  std::uint64_t sold(const std::string& sale) {
    const auto answer = client_.request("GET", "/v1/sales/" + sale);
    return answer ? static_cast<std::uint64_t>(integer_of(parse_json(answer->body), "sold")) : 0;
  }
  void expect_fine(const std::string& sale) {
    const auto answer = client_.request("GET", "/v1/sales/" + sale + "/audit");
    ASSERT_TRUE(answer);
    EXPECT_TRUE(parse_json(answer->body).at("ok").as_bool()) << answer->body;
  }
  JmeterCounts jmeter(const std::string& plan, const std::string& sale, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"port=" + std::to_string(server_.port()), "sale=" + sale, "threads=50", "loops=20"});
    return run_jmeter(project_folder().string() + "/examples/jmeter/" + plan, more, folder_.path());
  }
  /// Our own crowd of as many on a sale of the same terms.
  boost::json::value rush(const std::string& sale, std::vector<std::string> more = {}) {
    const std::string json = folder_.path() / "rush.json";
    std::vector<std::string> arguments{"rush",   "--target", "http://127.0.0.1:" + std::to_string(server_.port()),
                                       "--sale", sale,       "--customers",
                                       "1000",   "--json",   json};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.code, 0) << ran.output << ran.error;
    std::ostringstream text;
    text << std::ifstream(json).rdbuf();
    return parse_json(text.str());
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path() / "data"};
  BlockingClient client_{server_.port()};
};

constexpr const char* coupon =
    R"(","name":"c","kind":"coupon","stock":100,"unit_price":0,"limit_per_customer":1,"hold_ms":0})";

TEST_F(OtherTools, JmetersCouponCountsWhatOurCrowdCounts) {
  FIRSTCOME_NEEDS_JMETER();
  create(std::string(R"({"id":"theirs)") + coupon);
  create(std::string(R"({"id":"ours)") + coupon);
  const JmeterCounts theirs = jmeter("coupon.jmx", "theirs");
  const JmeterCounts expected{{{"reserve", "201"}, 100}, {{"reserve", "410"}, 900}};
  EXPECT_EQ(theirs, expected);
  EXPECT_EQ(sold("theirs"), 100U);
  expect_fine("theirs");
  const auto ours = rush("ours");
  EXPECT_EQ(integer_of(ours.at("totals"), "sold"), 100);
  EXPECT_EQ(integer_of(ours.at("totals").at("refused"), "sold-out"), 900);
}

TEST_F(OtherTools, JmetersDoubleClicksAreAnsweredTwiceAndSoldOnce) {
  FIRSTCOME_NEEDS_JMETER();
  create(std::string(R"({"id":"theirs)") + coupon);
  const JmeterCounts theirs = jmeter("double-click.jmx", "theirs");
  const JmeterCounts expected{{{"first click", "201"}, 100},
                              {{"first click", "410"}, 900},
                              {{"second click", "201"}, 100},
                              {{"second click", "410"}, 900}};
  EXPECT_EQ(theirs, expected);
  EXPECT_EQ(sold("theirs"), 100U);
  expect_fine("theirs");
}

TEST_F(OtherTools, JmetersTicketsAreAllSoldToThoseWhoWaitAndPay) {
  FIRSTCOME_NEEDS_JMETER();
  create(
      R"({"id":"theirs","name":"t","kind":"ticket","stock":100,"unit_price":10,"limit_per_customer":1,"hold_ms":2000})");
  JmeterCounts theirs = jmeter("ticket.jmx", "theirs", {"leaves=10"});
  EXPECT_EQ(sold("theirs"), 100U) << "units of customers who left go to those who wait";
  EXPECT_EQ((theirs[{"pay", "200"}]), 100U);
  EXPECT_GT((theirs[{"look", "200"}]), 0U);
  EXPECT_EQ((theirs[{"reserve", "201"}]) + (theirs[{"reserve", "202"}]) + (theirs[{"reserve", "410"}]), 1'000U);
  expect_fine("theirs");
}

TEST_F(OtherTools, JmetersProductsAndManySalesSellAllThereIs) {
  FIRSTCOME_NEEDS_JMETER();
  create(R"({"id":"theirs","name":"p","stock":100,"unit_price":10,"payment":"auto"})");
  const JmeterCounts product = jmeter("product.jmx", "theirs");
  EXPECT_GT(product.at({"reserve", "201"}), 0U);
  EXPECT_GT(product.at({"reserve", "410"}), 0U);
  EXPECT_TRUE(eventually([&] { return sold("theirs") == 100; }));
  expect_fine("theirs");
  for (int i = 1; i <= 20; ++i) create(R"({"id":"many-)" + std::to_string(i) + coupon);
  const JmeterCounts mixed = jmeter("mixed.jmx", "many", {"sales=20"});
  std::uint64_t all = 0;
  for (int i = 1; i <= 20; ++i) all += sold("many-" + std::to_string(i));
  EXPECT_EQ(mixed.at({"reserve", "201"}), all);
  EXPECT_EQ(sold("many-1"), 100U);  // the hottest
}

TEST_F(OtherTools, WrksCouponCountsWhatWasSold) {
  create(std::string(R"({"id":"theirs)") + coupon);
  ChildOptions wrk;
  wrk.program = "/usr/bin/wrk";
  if (access(wrk.program.c_str(), X_OK) != 0) {
    if (all_is_required()) FAIL() << "wrk is missing; ./run deps installs it";
    GTEST_SKIP() << "WRK IS NOT TESTED: it is missing; ./run deps installs it";
  }
  wrk.arguments = {"-t",
                   "1",
                   "-c",
                   "16",
                   "-d",
                   "1s",
                   "-s",
                   project_folder().string() + "/examples/wrk/coupon.lua",
                   "http://127.0.0.1:" + std::to_string(server_.port()),
                   "--",
                   "theirs"};
  ChildProcess process(std::move(wrk));
  std::string said;
  while (const auto line = process.read_line(30s)) said += *line + "\n";
  ASSERT_EQ(process.wait(30s), 0) << said;
  EXPECT_NE(said.find("status 201: 100\n"), std::string::npos) << said;
  EXPECT_NE(said.find("status 410: "), std::string::npos) << said;
  EXPECT_EQ(said.find("status 5"), std::string::npos) << said;
  EXPECT_EQ(sold("theirs"), 100U);
  expect_fine("theirs");
}

}  // namespace
}  // namespace firstcome::testing
