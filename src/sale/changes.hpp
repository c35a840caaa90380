// What commands changed, for whoever makes it durable.
#pragma once

#include "sale/record.hpp"

#include <vector>

namespace firstcome::sale {

/// What the last commands changed. Each reservation and sale stands in it once.
struct Changes {
  std::vector<ReservationRef> inserted;  ///< rising per sale
  std::vector<ReservationRef> updated;   ///< not among `inserted`
  std::vector<SaleHandle> sales;         ///< whose record changed or which are new
  std::vector<SaleHandle> deleted;       ///< nothing else of the same sale stands in here but its events
  std::vector<EventRecord> events;       ///< in order
  bool payment_work = false;             ///< `TakePaymentTasks` has something new to hand out

  bool empty() const {
    return inserted.empty() && updated.empty() && sales.empty() && deleted.empty() && events.empty();
  }
};

}  // namespace firstcome::sale
