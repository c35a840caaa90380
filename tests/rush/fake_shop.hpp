// A server of one sale that can be told to break each promise, so that a verdict can be seen to catch it.
//
// Its rules are written anew here, naively, and share nothing with the ledger. It runs in a thread of its own.
#pragma once

#include "net/http_server.hpp"

#include <firstcome/sale.hpp>

#include <boost/json/object.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::rush::testing {

enum class Lie : std::uint8_t {
  none,
  sells_more_than_there_is,  ///< and says so
  hides_what_it_oversold,    ///< its sale and its list look right
  keeps_the_last_unit,       ///< says sold out while one is left
  never_serves_who_waits,    ///< units come back, and nobody gets them
  loses_every_tenth,         ///< told yes, not in the list
  forgets_every_tenth_sale,  ///< told confirmed, listed as expired
  adds_one_to_every_tenth,   ///< a second reservation that nobody was told of
  ignores_keys,              ///< a double click is two reservations
  sells_to_the_refused,      ///< told sold out, but has one
  ignores_the_limit,         ///< and its audit does not say so
  counts_down,               ///< later requests get lower numbers
  grants_the_second_first,   ///< the second in line gets the unit
  sums_are_wrong,            ///< available + held + sold is not stock
  audit_is_not_ok,
  answers_500,              ///< to each request for units
  answers_unauthenticated,  ///< the same
  gives_one_of_several,     ///< one unit, however many were asked for
  refuses_by_a_limit,       ///< which nobody has reached
  says_sold_out_too_soon,   ///< to every tenth, while there are units for those who come later
  never_charges,            ///< answers 500 to each payment
  sells_twice_at_once,      ///< twice the stock while holds live; it heals as they end
};

struct FakeTerms {
  Units stock = 10;
  std::optional<Units> limit = {};
  std::chrono::milliseconds hold{0};  ///< 0: confirmed at once
  Standby standby = Standby::no;
  unsigned declines_one_in = 0;  ///< of the payments; 0: none
  unsigned unknown_one_in = 0;   ///< of the reservations: done, but answered 503 outcome-unknown the first time
  std::chrono::milliseconds opens_in{0};
  std::chrono::milliseconds answers_after{0};
  Lie lie = Lie::none;
};

class FakeShop final : public net::HttpHandler, public net::Driven {
 public:
  explicit FakeShop(FakeTerms terms);
  ~FakeShop();
  FakeShop(const FakeShop&) = delete;
  FakeShop& operator=(const FakeShop&) = delete;

  std::uint16_t port() const { return server_.port(); }
  std::uint64_t requests() const { return requests_; }

  void handle(net::Exchange& exchange) noexcept override;
  void refuse(net::BadRequest why, net::Exchange& exchange) noexcept override;
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override;

 private:
  struct Reservation {
    std::string id;
    std::string customer;
    std::uint64_t number = 0;
    Units quantity = 1;
    ReservationState state = ReservationState::queued;
    std::string reason;
    std::optional<std::chrono::system_clock::time_point> expires_at;
    bool listed = true;
  };

  void route(net::Exchange& exchange);
  boost::json::object shown(const Reservation& reservation) const;
  void reserve(net::Exchange& exchange);
  void pay(net::Exchange& exchange, Reservation& reservation);
  void show_sale(net::Exchange& exchange) const;
  void list(net::Exchange& exchange) const;
  void audit(net::Exchange& exchange) const;

  Reservation& add(const std::string& customer, Units quantity, ReservationState state);
  void grant(Reservation& reservation);
  void end_holds();
  void serve_waiting();
  Units available() const;
  Units units(ReservationState state) const;
  Units units_of(const std::string& customer) const;
  bool is_tenth(const Reservation& reservation) const { return reservation.number % 10 == 0; }
  bool refuses_before_it_looks(net::Exchange& exchange);
  bool lies(Lie lie) const { return terms_.lie == lie; }

  const FakeTerms terms_;
  const std::chrono::steady_clock::time_point opens_at_;
  std::vector<Reservation> reservations_;
  std::map<std::string, std::size_t> by_id_;
  std::map<std::string, std::size_t> by_key_;
  std::deque<std::pair<std::chrono::steady_clock::time_point, net::Exchange*>> later_;  // by time
  std::uint64_t asked_ = 0;
  std::uint64_t payments_ = 0;
  std::atomic<std::uint64_t> requests_{0};
  net::HttpServer server_;
  std::thread thread_;
};

}  // namespace firstcome::rush::testing
