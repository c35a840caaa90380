// The server as a process: starting, stopping, running out of things.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"
#include "system/witness.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

void create_ticket(BlockingClient& client, const std::string& more = {}) {
  auto answer = client.request("POST", "/v1/sales", R"({"id":"ticket","kind":"ticket","stock":1000000)" + more + "}");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 201U) << answer->body;
}

std::string code_of(const HttpAnswer& answer) { return text_of(parse_json(answer.body), "code"); }

std::size_t resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

TEST(Lifecycle, TheSecondServerOnOneFolderRefusesToStart) {
  TemporaryFolder folder;
  ServerProcess first(folder.path() / "data");
  ChildOptions options;
  options.program = firstcome_program();
  options.arguments = {"serve", "--listen", "127.0.0.1:0", "--data", (folder.path() / "data").string()};
  options.error_log = folder.path() / "second.log";
  ChildProcess second(std::move(options));
  EXPECT_EQ(second.wait(30s), 69);
  std::ifstream log(folder.path() / "second.log");
  std::string text((std::istreambuf_iterator<char>(log)), {});
  EXPECT_NE(text.find("another server"), std::string::npos) << text;
  BlockingClient client(first.port());
  auto answer = client.request("GET", "/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200U);
}

TEST(Lifecycle, SigtermAnswersWhatIsUnderWayAndExitsWithZero) {
  TemporaryFolder folder;
  auto server = std::make_unique<ServerProcess>(
      folder.path() / "data", std::vector<std::string>{"--simulate-payment", "before=0,during=0,delay_ms=700,seed=1"});
  BlockingClient client(server->port());
  create_ticket(client);
  auto held = client.request("POST", "/v1/sales/ticket/reservations", R"({"customer":"a"})");
  ASSERT_TRUE(held);
  std::string id = text_of(parse_json(held->body), "id");
  ASSERT_TRUE(client.send("POST", "/v1/reservations/" + id + "/payment"));
  BlockingClient watcher(server->port());
  const auto begun = [&] {  // the charge is claimed: its event is stored
    auto answer = watcher.request("GET", "/v1/events");
    return answer && answer->body.find("payment-begun") != std::string::npos;
  };
  ASSERT_TRUE(testing::eventually(begun));
  auto told = SteadyClock::now();
  server->process().signal(SIGTERM);
  auto paid = client.receive();
  ASSERT_TRUE(paid) << "the payment under way was not answered";
  EXPECT_EQ(paid->status, 200U) << paid->body;
  EXPECT_EQ(server->process().wait(25s), 0);
  EXPECT_LT(SteadyClock::now() - told, 25s);
  ServerProcess again(folder.path() / "data");
  BlockingClient reader(again.port());
  auto kept = reader.request("GET", "/v1/reservations/" + id);
  ASSERT_TRUE(kept);
  EXPECT_EQ(text_of(parse_json(kept->body), "state"), "confirmed");
}

TEST(Lifecycle, SigtermAnswersAPaymentWhoseProviderIsTooSlow) {
  TemporaryFolder folder;
  ServerProcess server(folder.path() / "data", {"--simulate-payment", "delay_ms=60000"});
  BlockingClient client(server.port());
  create_ticket(client);
  auto held = client.request("POST", "/v1/sales/ticket/reservations", R"({"customer":"a"})");
  ASSERT_TRUE(held);
  const std::string id = text_of(parse_json(held->body), "id");
  ASSERT_TRUE(client.send("POST", "/v1/reservations/" + id + "/payment"));
  BlockingClient watcher(server.port());
  const auto begun = [&] {
    auto answer = watcher.request("GET", "/v1/events");
    return answer && answer->body.find("payment-begun") != std::string::npos;
  };
  ASSERT_TRUE(testing::eventually(begun));
  const auto told = SteadyClock::now();
  server.process().signal(SIGTERM);
  auto paid = client.receive();
  ASSERT_TRUE(paid) << "the payment under way was not answered";
  EXPECT_EQ(paid->status, 503U);
  EXPECT_EQ(code_of(*paid), "outcome-unknown");
  EXPECT_EQ(server.process().wait(25s), 0);
  EXPECT_LT(SteadyClock::now() - told, 25s);
}

TEST(Lifecycle, SigtermUnderLoadKeepsEveryAnswer) {
  TemporaryFolder folder;
  Witness witness;
  {
    ServerProcess server(folder.path() / "data");
    BlockingClient client(server.port());
    create_ticket(client);
    std::vector<std::jthread> crowd;
    for (int i = 0; i < 4; ++i) {
      crowd.emplace_back([&witness, port = server.port(), i] {
        BlockingClient connection(port);
        for (int k = 0;; ++k) {
          std::string name = std::to_string(i) + "-" + std::to_string(k);
          if (!witness.reserve(connection, "ticket", name, "key-" + name)) return;
        }
      });
    }
    while (witness.answered() < 200) std::this_thread::yield();
    server.process().signal(SIGTERM);
    EXPECT_EQ(server.process().wait(25s), 0);
  }
  ServerProcess server(folder.path() / "data");
  BlockingClient client(server.port());
  witness.check_new(client);
  witness.repeat_unanswered(client);
  witness.check_all(client, "ticket");
}

TEST(Lifecycle, AFullQueueIsAnsweredAtOnceAndRecoversAtOnce) {
  TemporaryFolder folder;
  // Orders written here would wait in the same queue.
  ServerProcess server(folder.path() / "data", {"--queue-limit", "4", "--orders", "none"});
  BlockingClient client(server.port());
  create_ticket(client);
  std::vector<std::unique_ptr<BlockingClient>> crowd;
  for (int i = 0; i < 64; ++i) {
    crowd.push_back(std::make_unique<BlockingClient>(server.port()));
    ASSERT_TRUE(crowd.back()->request("GET", "/healthz"));
  }
  std::size_t memory = resident_bytes(server.process().pid());
  std::size_t refused = 0;
  std::size_t sold = 0;
  for (int round = 0; round < 20; ++round) {
    server.process().signal(SIGSTOP);  // so that all ask in one turn
    for (std::size_t i = 0; i < crowd.size(); ++i) {
      std::string name = std::to_string(round) + "-" + std::to_string(i);
      ASSERT_TRUE(crowd[i]->send("POST", "/v1/sales/ticket/reservations", R"({"customer":")" + name + R"("})"));
    }
    server.process().signal(SIGCONT);
    for (auto& connection : crowd) {
      auto answer = connection->receive();
      ASSERT_TRUE(answer);
      if (answer->status == 503) {
        EXPECT_EQ(code_of(*answer), "overloaded");
        EXPECT_TRUE(answer->fields.contains("retry-after"));
        ++refused;
      } else {
        EXPECT_EQ(answer->status, 201U) << answer->body;
        ++sold;
      }
    }
  }
  EXPECT_GT(refused, 0U);
  EXPECT_GE(sold, 4U * 20U);
  EXPECT_LT(resident_bytes(server.process().pid()), memory + 32'000'000);
  auto after = client.request("POST", "/v1/sales/ticket/reservations", R"({"customer":"later"})");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->status, 201U);
}

TEST(Lifecycle, AFullDiskRefusesWithAReasonAndServesAgainWhenThereIsRoom) {
  TemporaryFolder folder;
  Witness witness;
  {
    ServerProcess server(folder.path() / "data");
    BlockingClient client(server.port());
    create_ticket(client);
    rlimit small{256 * 1024, RLIM_INFINITY};
    ASSERT_EQ(prlimit(server.process().pid(), RLIMIT_FSIZE, &small, nullptr), 0);
    std::optional<HttpAnswer> refused;
    for (int i = 0; i < 5'000 && !refused; ++i) {
      std::string name = "c-" + std::to_string(i);
      ASSERT_TRUE(witness.reserve(client, "ticket", name, "key-" + name));
      auto ready = client.request("GET", "/readyz");
      ASSERT_TRUE(ready);
      if (ready->status == 503) refused = ready;
    }
    ASSERT_TRUE(refused) << "the disk was never full: the test has no power";
    EXPECT_NE(refused->body.find("store"), std::string::npos) << refused->body;
    auto answer = client.request("POST", "/v1/sales/ticket/reservations", R"({"customer":"nobody"})");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 503U) << answer->body;
    EXPECT_EQ(code_of(*answer), "store-unavailable");
    EXPECT_TRUE(answer->fields.contains("retry-after"));
    EXPECT_FALSE(server.log().empty());
    rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    ASSERT_EQ(prlimit(server.process().pid(), RLIMIT_FSIZE, &large, nullptr), 0);
    auto deadline = SteadyClock::now() + 30s;
    unsigned status = 503;
    while (status == 503 && SteadyClock::now() < deadline) {
      auto ready = client.request("GET", "/readyz");
      ASSERT_TRUE(ready);
      status = ready->status;
    }
    EXPECT_EQ(status, 200U) << "it does not serve again by itself";
    witness.repeat_unanswered(client);
    witness.check_new(client);
    server.process().kill();
  }
  ServerProcess server(folder.path() / "data");
  BlockingClient client(server.port());
  witness.check_all(client, "ticket");
}

TEST(Lifecycle, OutOfFileDescriptorsItAcceptsAgainAfterwards) {
  TemporaryFolder folder;
  ServerProcess server(folder.path() / "data", {}, 64);
  std::vector<std::unique_ptr<BlockingClient>> idle;
  for (int i = 0; i < 100; ++i) {
    idle.push_back(std::make_unique<BlockingClient>(server.port()));
    ASSERT_TRUE(idle.back()->connect());  // the kernel's backlog takes those that the server cannot
  }
  ASSERT_TRUE(idle.front()->request("GET", "/healthz"));
  idle.clear();
  BlockingClient later(server.port());
  auto answer = later.request("GET", "/healthz");
  ASSERT_TRUE(answer) << "it stopped accepting for ever";
  EXPECT_EQ(answer->status, 200U);
}

}  // namespace
}  // namespace firstcome::testing
