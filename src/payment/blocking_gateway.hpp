// A gateway for code that blocks until it knows whether the money moved.
#pragma once

#include "payment/payment_service.hpp"

#include <firstcome/gateway.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace firstcome::payment {

/// An io_context with a thread, and a gateway on it. Thread-safe, but for the destructor.
class BlockingGateway {
 public:
  /// How long it asks again, with the same key, for an outcome that it does not know.
  static constexpr std::chrono::seconds patience{15};

  explicit BlockingGateway(const MakeGateway& make_gateway);
  /// REQUIRES: nobody waits.
  ~BlockingGateway();
  BlockingGateway(const BlockingGateway&) = delete;
  BlockingGateway& operator=(const BlockingGateway&) = delete;

  /// Blocks. `unknown` when the patience is over.
  ChargeResult charge(const ChargeRequest& request);
  /// Blocks until it is paid back, or the patience is over, which is logged.
  void refund(const std::string& key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
