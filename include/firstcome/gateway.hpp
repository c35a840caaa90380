// The Gateway port: who charges the money.
//
// The key of a charge is the reservation's id. Asking again with the same key gets the first outcome, so after a crash
// any node may ask again and nobody is charged twice.
#pragma once

#include <firstcome/types.hpp>

#include <functional>
#include <string>

namespace firstcome {

enum class ChargeOutcome : std::uint8_t {
  charged,
  declined,     ///< for good
  unreachable,  ///< surely not charged
  unknown,      ///< may have been charged: ask again with the same key
  refused,      ///< declined, for good, before a charge was tried
};

struct ChargeRequest {
  std::string key;
  Money amount = 0;
  std::string currency;
};

struct ChargeResult {
  ChargeOutcome outcome = ChargeOutcome::unknown;
  std::string payment_id;      ///< where charged
  std::string account_number;  ///< where charged; may be empty
  std::string detail;          ///< for the log
};

enum class RefundOutcome : std::uint8_t {
  refunded,  ///< or there was nothing to refund: asking twice is safe
  failed,    ///< ask again later
};

/// Thread safety: `charge` and `refund` from any thread. Neither blocks; the completion is called exactly once, from a
/// thread of the gateway's, within the gateway's time-out.
class Gateway {
 public:
  virtual ~Gateway() = default;
  virtual void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) = 0;
  virtual void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) = 0;
};

}  // namespace firstcome
