// What an audit asks a server.
#pragma once

#include "events/event.hpp"
#include "events/orders/order_store.hpp"
#include "net/http_client.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace firstcome::cli {

/// A sentence for the user: what is to be compared cannot be asked.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// All functions block and throw Unavailable, and boost::system::system_error where an answer is not of the form that
/// openapi.yaml describes. Not thread-safe.
class AuditedServer {
 public:
  explicit AuditedServer(net::HttpOrigin origin) : origin_(std::move(origin)) {}

  std::vector<std::string> sales() const;

  struct Reservation {
    std::string id;
    std::optional<events::OrderSummary> sold;  ///< none: it is not and was never confirmed
  };
  /// Calls `each` with all reservations of a sale.
  void for_each_reservation(const std::string& sale, const std::function<void(Reservation)>& each) const;
  /// None: there is no such reservation.
  std::optional<Reservation> reservation(const std::string& id) const;

  /// Returns the events that make orders of those reservations of one sale, by reservation and in order. They come from
  /// the server's feed. Of a reservation whose events the feed has forgotten, they are made from the reservation
  /// itself: with the lowest sequences there are, so that whatever is known already is later, and with the instant at
  /// which it was made instead of the one at which it was confirmed.
  struct Told {
    std::map<std::string, std::vector<events::Event>> events;
    std::size_t made = 0;  ///< reservations of which events had to be made
  };
  Told events_of(const std::string& sale, const std::set<std::string>& reservations) const;

 private:
  net::HttpOrigin origin_;
};

}  // namespace firstcome::cli
