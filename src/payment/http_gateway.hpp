// The gateway of a real provider, over HTTP. What it expects of the provider: docs/payment-gateway.md.
//
//   POST /charges {"key","amount","currency"}, Idempotency-Key: "key" -> 200 {"payment_id","account_number"}: charged;
//     402: declined; 3xx and another 4xx but 408 and 409: surely not charged; anything else, or no answer in time:
//     unknown
//   POST /refunds {"key"} -> 200: refunded; anything else: failed
//
// A few kept-alive connections; what finds none free waits in a bounded line.
#pragma once

#include "net/http_client.hpp"
#include "payment/one_shot.hpp"

#include <firstcome/gateway.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace firstcome::payment {

struct HttpGatewayOptions {
  net::HttpOrigin origin;
  std::string authorization = {};            ///< sent with each request, as in `Bearer 1234`; empty: none
  std::chrono::milliseconds timeout{5'000};  ///< of a charge or a refund, its time in the line included
  std::size_t connections = 64;
  std::size_t waiting = 10'000;  ///< one more is `unreachable` (`failed`)
};

/// Completions come on the io_context's thread.
class HttpGateway final : public Gateway {
 public:
  HttpGateway(IoExecutor executor, HttpGatewayOptions options);
  ~HttpGateway() override;

  void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override;
  void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
