// A gateway without money: its outcomes follow from a hash of (seed, key) alone.
//
// So the same key gets the same outcome always, in any process, after any crash, as a real provider's idempotency keys
// promise. It never fails unless told to.
#pragma once

#include "payment/one_shot.hpp"

#include <firstcome/gateway.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::payment {

struct SimulatedGatewayOptions {
  double before = 0;                  ///< share of charges declined before they are tried, without delay
  double during = 0;                  ///< share of the others, declined after the delay
  std::chrono::milliseconds delay{};  ///< of a charge or a refund
  std::uint64_t seed = 0;

  bool operator==(const SimulatedGatewayOptions&) const = default;
};

/// Reads `before=0.2,during=0.2,delay_ms=50,seed=1`, each member at most once, in any order; empty: the defaults.
/// The error names the member and its rule.
std::expected<SimulatedGatewayOptions, std::string> parse_simulated_gateway(std::string_view text);

/// What a charge with this key gets, always.
ChargeResult simulated_outcome(const SimulatedGatewayOptions& options, std::string_view key);

/// Completions come on the io_context's thread.
class SimulatedGateway final : public Gateway {
 public:
  explicit SimulatedGateway(IoExecutor executor, SimulatedGatewayOptions options = {});

  void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override;
  void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) override;

 private:
  IoExecutor executor_;
  SimulatedGatewayOptions options_;
};

}  // namespace firstcome::payment
