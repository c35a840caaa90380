// What is known of the outbox without reading it.
#pragma once

#include <cstdint>
#include <unordered_map>

namespace firstcome::engine {

struct OutboxMarks {
  std::uint64_t oldest = 0;     ///< the first row that is kept; 0: there has been none. The last row is always kept
  std::uint64_t last = 0;       ///< the last row
  std::uint64_t delivered = 0;  ///< all up to it have arrived
  /// The last event of each sale that has some behind `delivered`, by handle; of others it may be there.
  std::unordered_map<std::uint64_t, std::uint64_t> last_of_sale;

  std::uint64_t undelivered() const { return last - delivered; }
};

}  // namespace firstcome::engine
