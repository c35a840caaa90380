// `firstcome sale ...` as its users run it: output and exit codes, against a server that runs.
#include "support/child_process.hpp"
#include "support/json.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;

struct Ran {
  int code = -1;
  std::string output;
  std::string error;
};

class SaleCommands : public ::testing::Test {
 protected:
  Ran run_with(const std::string& url, std::vector<std::string> arguments) {
    ChildOptions options;
    options.program = firstcome_program();
    options.arguments = {"sale"};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.error_log = folder.path() / "error.log";
    options.environment = {"FIRSTCOME_SERVER=" + url};
    ChildProcess program(std::move(options));
    Ran ran;
    while (const auto line = program.read_line(30s)) ran.output += *line + "\n";
    ran.code = program.wait(30s).value_or(-1);
    std::ifstream log(folder.path() / "error.log");
    ran.error.assign(std::istreambuf_iterator<char>(log), {});
    return ran;
  }
  Ran run(std::vector<std::string> arguments) {
    return run_with("http://127.0.0.1:" + std::to_string(server.port()), std::move(arguments));
  }

  TemporaryFolder folder;
  ServerProcess server{folder.path() / "data"};
};

TEST_F(SaleCommands, CreateShowRestockCloseDelete) {
  const Ran created = run({"create", "tee", "--stock", "5", "--kind", "ticket", "--unit-price", "1500", "--currency",
                           "EUR", "--admit-per-tick", "3", "--tick-ms", "100", "--name", "T-shirt", "--json"});
  EXPECT_EQ(created.code, 0) << created.error;
  const auto sale = parse_json(created.output);
  EXPECT_EQ(text_of(sale, "name"), "T-shirt");
  EXPECT_EQ(integer_of(sale, "unit_price"), 1500);
  EXPECT_EQ(integer_of(sale, "hold_ms"), 300'000);
  EXPECT_EQ(integer_of(sale.at("queue"), "tick_ms"), 100);

  const Ran shown = run({"show", "tee"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_NE(shown.output.find("name                 T-shirt\n"), std::string::npos) << shown.output;
  EXPECT_EQ(integer_of(parse_json(run({"restock", "tee", "9", "--json"}).output), "available"), 9);
  EXPECT_EQ(integer_of(parse_json(run({"restock", "tee", "--by", "-2", "--json"}).output), "available"), 7);
  EXPECT_EQ(run({"restock", "tee"}).code, 64) << "how many?";
  EXPECT_EQ(text_of(parse_json(run({"pause", "tee", "--json"}).output), "state"), "paused");
  EXPECT_EQ(text_of(parse_json(run({"resume", "tee", "--json"}).output), "state"), "open");

  const Ran active = run({"delete", "tee"});
  EXPECT_EQ(active.code, 1);
  EXPECT_NE(active.error.find("sale-active"), std::string::npos) << active.error;
  EXPECT_EQ(text_of(parse_json(run({"close", "tee", "--json"}).output), "state"), "closed");
  EXPECT_EQ(run({"delete", "tee"}).code, 0);
  EXPECT_EQ(run({"show", "tee"}).code, 1);
}

TEST_F(SaleCommands, ListIsATableOrJson) {
  EXPECT_EQ(run({"create", "b", "--stock", "2"}).code, 0);
  EXPECT_EQ(run({"create", "a", "--stock", "1", "--kind", "coupon"}).code, 0);
  const Ran table = run({"list"});
  EXPECT_EQ(table.code, 0);
  EXPECT_TRUE(table.output.starts_with("id ")) << table.output;
  EXPECT_LT(table.output.find("\na "), table.output.find("\nb ")) << table.output;
  const auto list = parse_json(run({"list", "--json"}).output);
  EXPECT_EQ(list.as_array().size(), 2U);
  EXPECT_EQ(text_of(list.at(1), "id"), "b");
}

TEST_F(SaleCommands, ExitCodesTellRefusedFromWrongFromUnreachable) {
  EXPECT_EQ(run({"create", "a", "--stock", "1"}).code, 0);
  EXPECT_EQ(run({"create", "a", "--stock", "2"}).code, 1) << "sale-exists";
  EXPECT_EQ(run({"show", "nobody"}).code, 1);
  EXPECT_EQ(run({"create", "a"}).code, 64) << "no stock";
  EXPECT_EQ(run({"create", "No/Id", "--stock", "1"}).code, 64);
  EXPECT_EQ(run({"create", "c", "--stock", "-1"}).code, 64);
  EXPECT_EQ(run({"create", "c", "--stock", "1", "--tick-ms", "50"}).code, 64) << "a tick without a queue";
  EXPECT_EQ(run({}).code, 64);
  EXPECT_EQ(run({"list", "--server", "nonsense"}).code, 64);
  EXPECT_EQ(run_with("http://127.0.0.1:1", {"list"}).code, 69);
}

}  // namespace
}  // namespace firstcome::testing
