// The part of an audit that compares the orders of a sale with its reservations, by id and by value.
//
// Mechanism: the engine lists the reservations page by page, and the orders of each page are looked up. Whatever does
// not fit is a doubt. Orders that belong to no reservation of the pages are found by their ids, and are doubts too. In
// the end, when it is known how many events are still on their way, every doubt is looked at once more: the order
// first, then the reservation. What an undelivered event may explain is pending, all else is a mismatch.
//
// Memory: 8 bytes for each order, and at most `doubts_max` doubts.
#pragma once

#include "events/order_facts.hpp"

#include <firstcome/command.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::api {

/// What the steps of one comparison keep. Pure: asks nobody.
class OrderAudit {
 public:
  static constexpr std::size_t doubts_max = 1'000;

  /// One reservation id whose order is not what it must be, as far as it is known.
  struct Doubt {
    std::string id;
    std::optional<ReservationRef> ref;         ///< nothing: the store knows no such reservation
    std::optional<events::OrderFacts> before;  ///< what the reservation said first; nothing: not confirmed
    std::optional<events::OrderFacts> now;     ///< what it said later
    std::optional<events::OrderFacts> order;   ///< what the order said in between; nothing: there is none
  };

  /// One reservation that is or was confirmed.
  struct Sold {
    std::string id;
    ReservationRef ref;
    events::OrderFacts facts;
  };

  explicit OrderAudit(AuditAnswer answer) : answer_(std::move(answer)) {}

  void add_page(std::vector<Sold> sold, std::span<const events::Order> orders);
  /// Takes the id of an order. Ids of reservations that were in a page are passed over.
  void add_order(std::string id, std::optional<ReservationRef> ref);
  /// REQUIRES: called once, after the last page and before `add_order`.
  void end_pages();

  /// Returns whether an order with this id was seen with its reservation. REQUIRES: `end_pages` was called.
  bool knows(std::string_view id) const;

  std::vector<Doubt>& doubts() { return doubts_; }
  /// Orders that belong to reservations of the pages.
  std::uint64_t orders_found() const { return known_.size(); }

  /// Decides what each doubt comes to. `on_their_way`: events that were not delivered before the doubts were looked at
  /// again; nothing: nobody knows how many. `orders`: how many there are in all.
  AuditAnswer finish(std::uint64_t orders, std::optional<std::uint64_t> on_their_way);

 private:
  void doubt(Doubt doubt);
  void mismatch(std::string sentence);

  AuditAnswer answer_;
  std::vector<std::uint64_t> known_;  ///< hashes of ids of orders that were seen with their reservations
  std::vector<Doubt> doubts_;
  std::uint64_t more_doubts_ = 0;
  std::uint64_t more_mismatches_ = 0;
};

}  // namespace firstcome::api
