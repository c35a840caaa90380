// What is known of the outbox without reading it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace firstcome::engine {

struct OutboxMarks {
  std::uint64_t oldest = 0;     ///< the first row that is kept; 0: there has been none. The last row is always kept
  std::uint64_t last = 0;       ///< the last row
  std::uint64_t delivered = 0;  ///< all up to it have arrived
  /// The last event of each sale that has some behind `delivered`, by handle; of others it may be there.
  std::unordered_map<std::uint64_t, std::uint64_t> last_of_sale;
  std::size_t sales_before_forgetting = 1'024;  ///< of `last_of_sale`

  std::uint64_t undelivered() const { return last - delivered; }

  /// Drops sales all of whose events are delivered. Cost: constant on average; `last_of_sale` stays below twice the
  /// sales that have undelivered events, or 1 024.
  void forget_delivered() {
    if (last_of_sale.size() < sales_before_forgetting) return;
    std::erase_if(last_of_sale, [this](const auto& sale) { return sale.second <= delivered; });
    sales_before_forgetting = std::max<std::size_t>(2 * last_of_sale.size(), 1'024);
  }
};

}  // namespace firstcome::engine
