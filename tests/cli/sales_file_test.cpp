// `serve --sales FILE`, whose sales the store may have with other terms.
#include "cli/sales_file.hpp"

#include "support/blocking_client.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace firstcome::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

TEST(SalesFile, TellsEachMemberThatDiffers) {
  SaleTerms stored;
  stored.id = "s";
  stored.name = "s";
  stored.stock = 10;
  EXPECT_THAT(differing_terms(stored, stored), IsEmpty());
  SaleTerms file = stored;
  file.stock = 20;
  file.limit_per_customer = 2;
  file.queue = QueueTerms{5, Milliseconds{100}};
  EXPECT_THAT(differing_terms(file, stored),
              ElementsAre("stock is 20 in the file and 10 in the store",
                          "limit_per_customer is 2 in the file and null in the store",
                          R"(queue is {"admit_per_tick":5,"tick_ms":100} in the file and null in the store)"));
}

class SalesFileProgram : public ::testing::Test {
 protected:
  std::string file_of(const std::string& text) const {
    const auto path = folder.path() / "sales.json";
    std::ofstream(path) << text;
    return path.string();
  }
  std::filesystem::path data() const { return folder.path() / "data"; }

  testing::TemporaryFolder folder;
};

TEST_F(SalesFileProgram, OtherTermsAreAWarningOrAreRefused) {
  {
    testing::ServerProcess server(data(), {"--sales", file_of(R"([{"id":"cfg","stock":10}])")});
    EXPECT_THAT(server.log(), HasSubstr("sale cfg created"));
    server.process().signal(SIGTERM);
    EXPECT_EQ(server.process().wait(25s), 0);
  }
  const std::string other = file_of(R"([{"id":"cfg","stock":20,"limit_per_customer":2},{"id":"new","stock":1}])");
  {
    testing::ServerProcess server(data(), {"--sales", other});
    EXPECT_THAT(server.log(), HasSubstr("warning sale cfg: stock is 20 in the file and 10 in the store"));
    EXPECT_THAT(server.log(), HasSubstr("warning sale cfg: limit_per_customer is 2 in the file and null in the store"));
    const std::string log = server.log();  // of both servers
    EXPECT_EQ(log.find("sale cfg created"), log.rfind("sale cfg created")) << "the first made it";
    EXPECT_THAT(server.log(), HasSubstr("sale new created"));
    server.process().signal(SIGTERM);
    EXPECT_EQ(server.process().wait(25s), 0);
  }
  const std::string strictly = file_of(R"([{"id":"later","stock":5},{"id":"cfg","stock":20}])");
  testing::ChildOptions options;
  options.program = testing::firstcome_program();
  options.arguments = {"serve",         "--listen", "127.0.0.1:0", "--data",
                       data().string(), "--sales",  strictly,      "--sales-strict"};
  options.error_log = folder.path() / "strict.log";
  testing::ChildProcess strict(std::move(options));
  EXPECT_EQ(strict.wait(60s), 1);
  std::ifstream file(folder.path() / "strict.log");
  const std::string log{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(log, HasSubstr("sale cfg: stock is 20 in the file and 10 in the store; with --sales-strict"));
  EXPECT_THAT(log, Not(HasSubstr("created"))) << "a start that is refused changes nothing";
}

TEST_F(SalesFileProgram, TheDataIsForItsOwnerAlone) {
  const testing::ServerProcess server(data(), {"--sales", file_of(R"([{"id":"s","stock":10}])")});
  using enum std::filesystem::perms;
  const auto of_others = group_all | others_all;
  EXPECT_EQ(std::filesystem::status(data()).permissions() & of_others, none);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data())) {
    ++files;
    EXPECT_EQ(entry.status().permissions() & of_others, none) << entry.path();
  }
  EXPECT_GE(files, 1);
}

TEST_F(SalesFileProgram, AnUndeliveredOutboxIsWarnedOf) {
  const testing::ServerProcess quiet(data());
  EXPECT_THAT(quiet.log(), Not(HasSubstr("outbox-full")));
  const testing::ServerProcess server(folder.path() / "other", {"--orders", "none"});
  EXPECT_THAT(server.log(), HasSubstr("outbox-full"));
}

TEST_F(SalesFileProgram, ListensOnIpv6) {
  testing::ChildOptions options;
  options.program = testing::firstcome_program();
  options.arguments = {"serve", "--listen", "[::1]:0", "--data", data().string()};
  options.error_log = folder.path() / "v6.log";
  testing::ChildProcess server(std::move(options));
  const auto line = server.read_line(60s);
  if (!line) {
    std::ifstream log(folder.path() / "v6.log");
    const std::string text((std::istreambuf_iterator<char>(log)), {});
    const bool no_ipv6 = text.find("Cannot assign requested address") != std::string::npos ||
                         text.find("Address family not supported") != std::string::npos;
    if (no_ipv6) return;  // nothing that could be installed would bring it
    FAIL() << text;
  }
  EXPECT_THAT(*line, HasSubstr("listening on http://[::1]:"));
}

}  // namespace
}  // namespace firstcome::cli
