// The ledger again, as naively as possible: no counters, no cursors, no indexes; everything is found by looking at all
// reservations, and time goes by from instant to instant. What the ledger says must be what this says.
#pragma once

#include "sale/record.hpp"

#include <string>
#include <vector>

namespace firstcome::sale {

struct ModelReservation {
  std::string customer;
  Units quantity = 1;
  Units returned = 0;
  bool extended = false;
  std::string reference;
  KeyHash key;
  ReservationState state = ReservationState::queued;
  Reason reason = Reason::none;
  Refund refund = Refund::none;
  Instant created_at;
  Instant expires_at{};
  bool claimed = false;
  std::uint64_t position = 0;
  std::string payment_id;
};

/// One sale.
class Model {
 public:
  Model(SaleTerms terms, Instant now) : terms_(std::move(terms)), created_at_(now), clock_(now) { pass(now); }

  /// Time goes by until now.
  void pass(Instant now);

  ReserveAnswer reserve(const Reserve& command);
  Outcome begin_payment(std::size_t number, BeginPayment::By by);
  Outcome finish_payment(std::size_t number, Charge charge, const std::string& payment_id);
  Outcome confirm(std::size_t number, const std::string& payment_id);
  Outcome cancel(std::size_t number);
  Outcome give_back(std::size_t number, std::optional<Units> quantity, std::optional<Units> if_quantity);
  Outcome extend(std::size_t number, Milliseconds by);
  Outcome transfer(std::size_t number, const std::string& customer);
  Outcome fulfil(std::size_t number);
  Outcome finish_refund(std::size_t number);
  Outcome patch(const PatchSale& command);
  std::uint64_t revision() const { return revision_; }
  /// A restart: refusals are remembered in memory only.
  void forget_refusals() { refusals_.clear(); }

  Units held() const { return sum(ReservationState::held); }
  Units sold() const { return sum(ReservationState::confirmed); }
  Units available() const { return terms_.stock - held() - sold(); }
  std::size_t queued() const;
  std::uint64_t position(std::size_t number) const;
  bool paused() const { return paused_; }
  SaleState state() const;
  const SaleTerms& terms() const { return terms_; }
  std::size_t count() const { return all_.size(); }
  const ModelReservation& at(std::size_t number) const { return all_[number - 1]; }

 private:
  struct Refusal {
    KeyHash key;
    Instant at;
    Units quantity;
    std::string reference;
    ReserveAnswer answer;
  };

  ModelReservation& get(std::size_t number) { return all_[number - 1]; }
  Units sum(ReservationState state) const;
  Units units_of(const std::string& customer) const;
  std::size_t open_of(const std::string& customer) const;
  std::size_t latest_of(const std::string& customer) const;
  std::size_t latest_open_of(const std::string& customer) const;
  std::size_t head() const;
  Instant end_of(const ModelReservation& one) const;
  bool within_limit(const std::string& customer, Units more) const;
  bool is_tick(Instant at) const;
  void grant(std::size_t number);
  bool grant_head();
  void settle();
  void close();
  bool take_again(std::size_t number);
  void keep_payment(std::size_t number, const std::string& id) { get(number).payment_id = id; }
  ReserveAnswer decide(const Reserve& command);
  Outcome judge(const PatchSale& command) const;
  ReserveAnswer refuse(Outcome outcome, std::size_t number = 0, Units left = 0, Milliseconds retry = {}) const;
  ReserveAnswer answer_of(std::size_t number) const;

  SaleTerms terms_;
  Instant created_at_;
  Instant clock_;  // up to here time went by
  Instant now_{};  // of the command
  bool paused_ = false;
  bool closed_ = false;
  std::vector<ModelReservation> all_;
  std::vector<Refusal> refusals_;
  std::uint64_t revision_ = 0;
};

}  // namespace firstcome::sale
