// `firstcome rush` as its users run it: output and exit codes, against `firstcome serve` and against shops that lie.
#include "cli/demo_sales.hpp"
#include "rush/fake_shop.hpp"
#include "support/child_process.hpp"
#include "support/json.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct Ran {
  int code = -1;
  std::string output;
  std::string error;
};

class RushCommand : public ::testing::Test {
 protected:
  Ran run(std::vector<std::string> arguments) {
    ChildOptions options;
    options.program = firstcome_program();
    options.arguments = {"rush"};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    std::filesystem::path log = folder.path() / fmt::format("error-{}.log", ++runs);
    options.error_log = log;
    ChildProcess program(std::move(options));
    Ran ran;
    while (const auto line = program.read_line(120s)) ran.output += *line + "\n";
    ran.code = program.wait(60s).value_or(-1);
    std::ifstream file(log);
    ran.error.assign(std::istreambuf_iterator<char>(file), {});
    return ran;
  }

  TemporaryFolder folder;
  int runs = 0;
};

std::string url_of(std::uint16_t port) { return fmt::format("http://127.0.0.1:{}", port); }

TEST_F(RushCommand, NamesTheOptionAndTheRuleOfAWrongValue) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{"--target", "127.0.0.1:1"}, "--target must be http[s]://HOST[:PORT]"},
      {{"--sale", "A Sale"}, "--sale must be"},
      {{"--customers", "0"}, "--customers must be 1 to"},
      {{"--customers", "many"}, "--customers"},
      {{"--connections", "0"}, "--connections must be at least 1"},
      {{"--rate", "-5"}, "--rate must be"},
      {{"--double-click", "2"}, "--double-click must be 0 to 1"},
      {{"--abandon", "1.01"}, "--abandon must be 0 to 1"},
      {{"--units-each", "3-1"}, "--units-each must be a number or a range"},
      {{"--timeout", "0"}, "--timeout must be more than 0"},
      {{"--max-p99-ms", "0"}, "--max-p99-ms must be at least 1"},
      {{"--colour", "red"}, "--colour"},
  };
  for (const auto& [arguments, rule] : wrong) {
    std::vector<std::string> all = arguments;
    if (arguments.front() != "--target") all.insert(all.end(), {"--target", "http://127.0.0.1:1"});
    if (arguments.front() != "--sale") all.insert(all.end(), {"--sale", "tee"});
    const Ran ran = run(all);
    EXPECT_EQ(ran.code, 64) << rule;
    EXPECT_THAT(ran.error, HasSubstr(rule));
  }
}

TEST_F(RushCommand, NeedsAServer) {
  const Ran ran = run({"--target", "http://127.0.0.1:1", "--sale", "tee", "--timeout", "1"});
  EXPECT_EQ(ran.code, 69) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("http://127.0.0.1:1/v1/sales/tee"));
}

TEST_F(RushCommand, NeedsASale) {
  ServerProcess server(folder.path() / "data");
  const Ran ran = run({"--target", url_of(server.port()), "--sale", "tee"});
  EXPECT_EQ(ran.code, 1) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("sale-not-found"));
}

TEST_F(RushCommand, SaysThatAFileCannotBeWrittenBeforeTheRush) {
  const Ran ran = run({"--target", "http://127.0.0.1:1", "--sale", "tee", "--json", "/nowhere/at/all.json"});
  EXPECT_EQ(ran.code, 69);
  EXPECT_THAT(ran.error, HasSubstr("/nowhere/at/all.json"));
}

TEST_F(RushCommand, EndsWithTheVerdictAsExitCode) {
  using rush::testing::FakeShop;
  using rush::testing::FakeTerms;
  using rush::testing::Lie;
  FakeTerms terms;
  FakeShop honest(terms);
  terms.answers_after = 20ms;
  FakeShop slow(terms);
  terms.answers_after = 0ms;
  terms.lie = Lie::sells_more_than_there_is;
  FakeShop oversells(terms);
  auto rush_at = [this](const FakeShop& shop, std::vector<std::string> more) {
    more.insert(more.end(), {"--sale", "fake", "--target", url_of(shop.port())});
    return run(more);
  };
  const Ran fine = rush_at(honest, {"--customers", "100", "--max-p99-ms", "60000"});
  EXPECT_EQ(fine.code, 0) << fine.output << fine.error;
  EXPECT_THAT(fine.output, HasSubstr("\n  FINE\n"));
  const Ran missed = rush_at(slow, {"--customers", "100", "--max-p99-ms", "10"});
  EXPECT_EQ(missed.code, 1) << missed.output;
  const Ran broken = rush_at(oversells, {"--customers", "100"});
  EXPECT_EQ(broken.code, 2) << broken.output;
  EXPECT_THAT(broken.output, HasSubstr("oversold              3\n"));
  FakeShop fresh(FakeTerms{});
  const Ran machine = rush_at(fresh, {"--customers", "10", "--json", "-"});
  EXPECT_EQ(text_of(parse_json(machine.output), "verdict"), "fine") << machine.output;
}

TEST_F(RushCommand, IsInvalidWhereItWasStoppedMeanwhile) {
  rush::testing::FakeShop shop({.stock = 10});
  ChildOptions options;
  options.program = firstcome_program();
  options.arguments = {"rush",        "--sale", "fake",   "--target", url_of(shop.port()),
                       "--customers", "400",    "--rate", "400"};
  options.error_log = folder.path() / "error.log";
  ChildProcess program(std::move(options));
  while (shop.requests() < 300 && !program.wait(1ms)) {  // 256 connections are opened first
  }
  program.signal(SIGSTOP);
  ASSERT_FALSE(program.wait(400ms)) << "it cannot end while it is stopped";
  program.signal(SIGCONT);
  std::string output;
  while (const auto line = program.read_line(60s)) output += *line + "\n";
  EXPECT_EQ(program.wait(60s), 3) << output;
  EXPECT_THAT(output, HasSubstr("INVALID: the generator was late"));
}

// --- the four kinds of sale of the demo, against the real server ---------------------------------------------------

class RushOnTheRealServer : public RushCommand, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(RushOnTheRealServer, KeepsEveryPromise) {
  constexpr std::uint32_t customers = 2'000;
  ServerProcess server(folder.path() / "data", {"--simulate-payment", "before=0.2,during=0.2,delay_ms=50,seed=1"});
  const auto sales = cli::create_demo_sales({"127.0.0.1", server.port()}, customers);
  const rush::RushOptions& crowd = sales[GetParam()].crowd;
  const std::filesystem::path file = folder.path() / "result.json";
  const Ran ran = run({"--target", url_of(server.port()), "--sale", crowd.sale, "--customers",
                       std::to_string(customers), "--double-click", std::to_string(crowd.double_click), "--without-key",
                       std::to_string(crowd.without_key), "--abandon", std::to_string(crowd.abandon), "--units-each",
                       fmt::format("{}-{}", crowd.units_each.least, crowd.units_each.most), "--json", file.string()});
  EXPECT_EQ(ran.code, 0) << ran.output << ran.error << server.log();
  std::ifstream stream(file);
  const auto json = parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  EXPECT_EQ(text_of(json, "verdict"), "fine");
  EXPECT_EQ(integer_of(json.at("totals"), "customers"), customers);
  EXPECT_EQ(integer_of(json.at("sale"), "sold"), integer_of(json.at("sale"), "stock")) << "far more asked than units";
  EXPECT_EQ(integer_of(json.at("totals"), "units_sold"), integer_of(json.at("sale"), "stock"));
  EXPECT_EQ(integer_of(json.at("totals"), "unanswered"), 0);
  EXPECT_EQ(integer_of(json.at("totals"), "still_waiting"), 0);
}

std::string name_of(const ::testing::TestParamInfo<std::size_t>& info) {
  static constexpr const char* names[] = {"Ticket", "Coupon", "Product", "QueuedProduct"};
  return names[info.param];
}

INSTANTIATE_TEST_SUITE_P(Demo, RushOnTheRealServer, ::testing::Range<std::size_t>(0, 4), name_of);

}  // namespace
}  // namespace firstcome::testing
