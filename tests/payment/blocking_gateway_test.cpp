#include "payment/blocking_gateway.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace firstcome::payment {
namespace {

/// Does not know at first, then says what it is told to.
class Forgetful final : public Gateway {
 public:
  explicit Forgetful(std::atomic<int>& asked) : asked_(asked) {}
  void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override {
    ChargeResult result;
    if (++asked_ > 2) result.outcome = ChargeOutcome::charged;
    result.payment_id = request.key;
    done(result);
  }
  void refund(std::string /*key*/, std::move_only_function<void(RefundOutcome)> done) override {
    done(++asked_ > 2 ? RefundOutcome::refunded : RefundOutcome::failed);
  }

 private:
  std::atomic<int>& asked_;
};

TEST(BlockingGateway, GivesTheOutcomeThatTheGatewayGives) {
  SimulatedGatewayOptions options;
  options.before = 0.5;
  options.delay = std::chrono::milliseconds{1};
  BlockingGateway gateway(simulated(options));
  for (int i = 0; i < 20; ++i) {
    const std::string key = "charge-" + std::to_string(i);
    EXPECT_EQ(gateway.charge({key, 1'000, "KRW"}).outcome, simulated_outcome(options, key).outcome);
    gateway.refund(key);
  }
}

TEST(BlockingGateway, AsksAgainWithTheSameKeyUntilTheOutcomeIsKnown) {
  std::atomic<int> asked = 0;
  BlockingGateway gateway([&](IoExecutor) { return std::make_unique<Forgetful>(asked); });
  const ChargeResult result = gateway.charge({"the-key", 1'000, "KRW"});
  EXPECT_EQ(result.outcome, ChargeOutcome::charged);
  EXPECT_EQ(result.payment_id, "the-key");
  EXPECT_EQ(asked, 3);
  asked = 0;
  gateway.refund("the-key");
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace firstcome::payment
