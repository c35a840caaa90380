#include "payment/http_gateway.hpp"

#include "payment/provider.hpp"
#include "support/child_process.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <future>
#include <thread>
#include <vector>

namespace firstcome::payment {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// A gateway on a thread of its own.
class Caller {
 public:
  explicit Caller(std::uint16_t port, HttpGatewayOptions options = {}) {
    options.origin = {"127.0.0.1", port};
    gateway_ = std::make_unique<HttpGateway>(io_.get_executor(), options);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Caller() {
    io_.stop();
    thread_.join();
  }

  std::future<ChargeResult> start_charge(const std::string& key, Money amount = 150) {
    auto promise = std::make_shared<std::promise<ChargeResult>>();
    gateway_->charge({key, amount, "KRW"}, [promise](ChargeResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  ChargeResult charge(const std::string& key, Money amount = 150) { return start_charge(key, amount).get(); }

  RefundOutcome refund(const std::string& key) {
    std::promise<RefundOutcome> promise;
    gateway_->refund(key, [&promise](RefundOutcome outcome) { promise.set_value(outcome); });
    return promise.get_future().get();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<IoExecutor> work_{io_.get_executor()};
  std::unique_ptr<HttpGateway> gateway_;
  std::thread thread_;
};

class HttpGatewayTest : public ::testing::Test {
 protected:
  ProviderOptions provider_options() const {
    ProviderOptions options;
    options.ledger = folder.path() / "ledger";
    return options;
  }

  testing::TemporaryFolder folder;
  Provider provider{provider_options()};
};

TEST_F(HttpGatewayTest, ChargesAndPaysBack) {
  Caller caller(provider.port());
  const ChargeResult result = caller.charge("k1");
  EXPECT_EQ(result.outcome, ChargeOutcome::charged) << result.detail;
  EXPECT_EQ(result.payment_id, "pay-1");
  EXPECT_EQ(result.account_number, "110-1");
  EXPECT_EQ(caller.refund("k1"), RefundOutcome::refunded);
  EXPECT_EQ(caller.refund("k1"), RefundOutcome::refunded);
  EXPECT_EQ(provider.refunds(), 1U);
}

TEST_F(HttpGatewayTest, UsesItsConnectionAgain) {
  Caller caller(provider.port());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(caller.charge(std::to_string(i)).outcome, ChargeOutcome::charged);
  EXPECT_EQ(provider.connections(), 1U);
}

TEST_F(HttpGatewayTest, IsDeclinedBy402) {
  provider.behave(Behaviour::decline);
  EXPECT_EQ(Caller(provider.port()).charge("k1").outcome, ChargeOutcome::declined);
}

TEST_F(HttpGatewayTest, IsToldWhetherAChargeWasTriedBeforeItWasDeclined) {
  provider.behave(Behaviour::refuse);
  EXPECT_EQ(Caller(provider.port()).charge("k1").outcome, ChargeOutcome::refused);
}

TEST_F(HttpGatewayTest, DoesNotKnowWhatBecameOfARequestWithoutAGoodAnswer) {
  for (const Behaviour behaviour :
       {Behaviour::closing, Behaviour::garbage, Behaviour::binary, Behaviour::error, Behaviour::silent}) {
    HttpGatewayOptions options;
    options.timeout = 100ms;
    Caller caller(provider.port(), options);
    provider.behave(behaviour);
    const std::string key = "key-" + std::to_string(static_cast<int>(behaviour));
    EXPECT_EQ(caller.charge(key).outcome, ChargeOutcome::unknown) << key;
  }
  provider.behave(Behaviour::good);
  const std::size_t charges = provider.charges();
  EXPECT_EQ(Caller(provider.port()).charge("key-4").outcome, ChargeOutcome::charged);  // asked again: charged then
  EXPECT_EQ(provider.charges(), charges);
}

TEST_F(HttpGatewayTest, KnowsThatARefusedRequestChargedNothing) {
  Caller caller(provider.port());
  provider.behave(Behaviour::busy);
  EXPECT_EQ(caller.charge("k1").outcome, ChargeOutcome::unreachable);
  provider.behave(Behaviour::good);
  EXPECT_EQ(caller.charge("k1").outcome, ChargeOutcome::charged);
  EXPECT_EQ(caller.charge("k1", 999).outcome, ChargeOutcome::unreachable);  // 422: another amount
}

TEST_F(HttpGatewayTest, ARedirectChargedNothing) {
  Caller caller(provider.port());
  provider.behave(Behaviour::moved);
  EXPECT_EQ(caller.charge("k1").outcome, ChargeOutcome::unreachable);
  provider.behave(Behaviour::good);
  EXPECT_EQ(caller.charge("k1").outcome, ChargeOutcome::charged);
}

TEST_F(HttpGatewayTest, SendsItsCredentialsWithEveryRequest) {
  HttpGatewayOptions options;
  options.authorization = "Bearer 1234";
  Caller caller(provider.port(), options);
  EXPECT_EQ(caller.charge("k1").outcome, ChargeOutcome::charged);
  EXPECT_EQ(provider.last_authorization(), "Bearer 1234");
  EXPECT_EQ(Caller(provider.port()).charge("k2").outcome, ChargeOutcome::charged);
  EXPECT_EQ(provider.last_authorization(), "");
}

TEST_F(HttpGatewayTest, IsPatientWithASlowProvider) {
  ProviderOptions options;
  options.ledger = folder.path() / "slow";
  options.behaviour = Behaviour::slow;
  options.delay = 50ms;
  const Provider slow(options);
  EXPECT_EQ(Caller(slow.port()).charge("k1").outcome, ChargeOutcome::charged);
}

TEST(HttpGateway, IsUnreachableWhereNobodyListens) {
  std::uint16_t port = 0;
  {
    const testing::TemporaryFolder folder;
    ProviderOptions options;
    options.ledger = folder.path() / "ledger";
    port = Provider(options).port();
  }
  Caller caller(port);
  EXPECT_EQ(caller.charge("k1").outcome, ChargeOutcome::unreachable);
  EXPECT_EQ(caller.refund("k1"), RefundOutcome::failed);
}

TEST_F(HttpGatewayTest, SharesFewConnectionsAndBoundsTheLine) {
  HttpGatewayOptions options;
  options.connections = 2;
  options.waiting = 3;
  options.timeout = 60s;
  Caller caller(provider.port(), options);
  provider.behave(Behaviour::silent);
  std::vector<std::future<ChargeResult>> charges;
  for (int i = 0; i < 2; ++i) charges.push_back(caller.start_charge("silent-" + std::to_string(i)));
  ASSERT_TRUE(provider.wait_for_requests(2));
  for (int i = 0; i < 3; ++i) charges.push_back(caller.start_charge("waits-" + std::to_string(i)));
  const ChargeResult refused = caller.charge("one too many");
  EXPECT_EQ(refused.outcome, ChargeOutcome::unreachable);
  EXPECT_THAT(refused.detail, HasSubstr("too many"));
  EXPECT_EQ(provider.connections(), 2U);
  EXPECT_EQ(provider.requests(), 2U);
}

TEST_F(HttpGatewayTest, AnswersEveryRequestWithinItsTimeOut) {
  HttpGatewayOptions options;
  options.connections = 1;
  options.timeout = 100ms;
  Caller caller(provider.port(), options);
  provider.behave(Behaviour::silent);
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::future<ChargeResult>> charges;
  for (int i = 0; i < 5; ++i) charges.push_back(caller.start_charge(std::to_string(i)));
  for (auto& charge : charges) EXPECT_NE(charge.get().outcome, ChargeOutcome::charged);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);  // not the sum of many time-outs
}

/// The provider as a process, which remembers its charges and can kill another at a given one.
class ProviderProgram : public ::testing::Test {
 protected:
  testing::ChildOptions child(std::vector<std::string> more = {}) const {
    testing::ChildOptions options;
    options.program = testing::payment_provider();
    options.arguments = {"--ledger", (folder.path() / "ledger").string()};
    options.arguments.insert(options.arguments.end(), more.begin(), more.end());
    return options;
  }
  static std::uint16_t port_of(testing::ChildProcess& provider) {
    const std::string line = provider.read_line(10s).value_or("");
    EXPECT_THAT(line, HasSubstr("listening on http://127.0.0.1:"));
    return static_cast<std::uint16_t>(std::stoul("0" + line.substr(line.rfind(':') + 1)));
  }

  testing::TemporaryFolder folder;
};

TEST_F(ProviderProgram, RemembersItsChargesWhenItIsKilled) {
  {
    testing::ChildProcess provider(child({"--behaviour", "closing"}));
    EXPECT_EQ(Caller(port_of(provider)).charge("k1").outcome, ChargeOutcome::unknown);
    provider.kill();
  }
  testing::ChildProcess provider(child());
  const std::uint16_t port = port_of(provider);
  EXPECT_EQ(Caller(port).charge("k1").payment_id, "pay-1");
  net::ClientRequest request;
  request.target = "/ledger";
  const net::ClientResult ledger = net::fetch({"127.0.0.1", port}, request, 10s);
  ASSERT_TRUE(ledger);
  EXPECT_THAT(ledger->body, HasSubstr(R"("charges":[{"kind":"charge","key":"k1","amount":150,"currency":"KRW")"));
  provider.signal(SIGTERM);
  EXPECT_EQ(provider.wait(10s), 0);
}

TEST_F(ProviderProgram, KillsAProcessAtTheChargeItIsTold) {
  for (const std::string when : {"before-answer", "after-answer"}) {
    testing::ChildOptions options;
    options.program = "/bin/sleep";
    options.arguments = {"600"};
    testing::ChildProcess victim(options);
    const std::filesystem::path pid_file = folder.path() / "pid";
    std::ofstream(pid_file) << victim.pid() << '\n';
    testing::ChildProcess provider(
        child({"--kill-pid-file", pid_file.string(), "--kill-on", "2", "--kill-when", when}));
    Caller caller(port_of(provider));
    EXPECT_EQ(caller.charge(when + "1").outcome, ChargeOutcome::charged);
    EXPECT_EQ(caller.charge(when + "1").outcome, ChargeOutcome::charged);  // recorded before: does not count
    EXPECT_EQ(victim.wait(0ms), std::nullopt);
    EXPECT_EQ(caller.charge(when + "2").outcome, ChargeOutcome::charged);
    EXPECT_EQ(victim.wait(10s), 128 + SIGKILL);
  }
}

}  // namespace
}  // namespace firstcome::payment
