// `firstcome demo` as its users run it.
#include "cli/demo_sales.hpp"
#include "support/child_process.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DemoCommand : public ::testing::Test {
 protected:
  /// Temporary folders go where the test can see whether they were removed.
  ChildOptions options(std::vector<std::string> arguments) {
    ChildOptions options;
    options.program = firstcome_program();
    options.arguments = {"demo", "--listen", "127.0.0.1:0"};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.environment = {"TMPDIR=" + temporary.path().string()};
    options.error_log = logs.path() / "error.log";
    return options;
  }

  std::vector<std::string> left_behind() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(temporary.path()))
      names.push_back(entry.path().filename().string());
    return names;
  }

  /// Its output up to and with the line that contains `text`.
  static std::string read_until(ChildProcess& program, const std::string& text) {
    std::string output;
    while (const auto line = program.read_line(120s)) {
      output += *line + "\n";
      if (line->find(text) != std::string::npos) break;
    }
    return output;
  }

  TemporaryFolder temporary, logs;
};

TEST_F(DemoCommand, KeepsEveryPromiseAndEnds) {
  ChildProcess program(options({"--customers", "500", "--exit"}));
  std::string output;
  while (const auto line = program.read_line(120s)) output += *line + "\n";
  EXPECT_EQ(program.wait(60s), 0) << output;
  EXPECT_THAT(output, HasSubstr("The verdict\n"));
  for (const char* sale : {"demo-ticket", "demo-coupon", "demo-product", "demo-queue"})
    EXPECT_THAT(output, HasSubstr(std::string("sale ") + sale));
  EXPECT_THAT(left_behind(), IsEmpty());
}

TEST_F(DemoCommand, LeavesTheServerUpUntilInterrupted) {
  const std::filesystem::path data = logs.path() / "data";
  ChildProcess program(options({"--customers", "20", "--data", data.string()}));
  const std::string output = read_until(program, "The server stays up at http://127.0.0.1:");
  EXPECT_THAT(output, HasSubstr("The server stays up"));
  program.signal(SIGINT);
  EXPECT_EQ(program.wait(30s), 0) << output;
  EXPECT_TRUE(std::filesystem::exists(data)) << "a folder that the user named stays";
}

TEST_F(DemoCommand, EndsAtOnceWhenInterruptedInARush) {
  ChildProcess program(options({"--customers", "2000"}));
  const std::string output = read_until(program, "demo-ticket:");
  program.signal(SIGINT);
  EXPECT_EQ(program.wait(30s), 128 + SIGINT) << output;
  EXPECT_THAT(left_behind(), IsEmpty());
}

TEST(DemoSales, FindNewNamesInAFolderThatHasSeenADemo) {
  TemporaryFolder folder;
  ServerProcess server(folder.path() / "data");
  for (const char* name : {"demo-ticket", "demo-ticket-2", "demo-ticket-3"}) {
    const auto sales = cli::create_demo_sales({"127.0.0.1", server.port()}, 10);
    ASSERT_EQ(sales.size(), 4U);
    EXPECT_EQ(sales.front().crowd.sale, name);
  }
}

TEST_F(DemoCommand, RefusesToListenWhereOthersCanReachIt) {
  ChildOptions elsewhere = options({"--exit"});
  elsewhere.arguments[2] = "0.0.0.0:0";
  ChildProcess program(elsewhere);
  EXPECT_EQ(program.wait(30s), 64);
}

}  // namespace
}  // namespace firstcome::testing
