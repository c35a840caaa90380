// A ledger and its model, given the same commands and compared after each; and what is stored, from which the ledger
// can be built again at any moment.
#pragma once

#include "sale/model.hpp"
#include "sale/shop.hpp"

namespace firstcome::sale {

class Pair {
 public:
  explicit Pair(const SaleTerms& terms) : ledger_({.hash_seed = 3}), model_(terms, day_one) {
    check(Outcome::done, ledger_.apply(CreateSale{terms}, now_).outcome);
  }

  Instant now() const { return now_; }
  std::size_t count() const { return model_.count(); }
  const Model& model() const { return model_; }
  const Stored& stored() const { return stored_; }
  std::optional<Instant> next_deadline() const { return ledger_.next_deadline(); }
  const SaleRecord& sale_record() const { return stored_.sales.at(SaleHandle{1}); }
  const ReservationRecord& record(std::size_t number) const { return stored_.reservations.at(ref(number)); }

  void wait(Milliseconds time) { now_ += time; }
  /// Before a command, do some of what is due, as an engine's `advance` with a limit does.
  void advance_some(std::size_t limit) {
    model_.pass(now_);
    ledger_.advance(now_, limit);
  }

  void reserve(const Reserve& command) {
    model_.pass(now_);
    const ReserveAnswer mine = model_.reserve(command);
    const ReserveAnswer its = ledger_.apply(command, now_);
    check(mine.outcome, its.outcome);
    if (mine.outcome == Outcome::idempotency_key_reused) return;
    EXPECT_EQ(value(mine.ref.number), value(its.ref.number));
    EXPECT_EQ(mine.state, its.state);
    EXPECT_EQ(mine.position, its.position);
    EXPECT_EQ(mine.created_at, its.created_at);
    EXPECT_EQ(mine.amount, its.amount);
    EXPECT_EQ(mine.left, its.left);
    EXPECT_EQ(mine.replayed_refusal, its.replayed_refusal);
    if (mine.retry_after != 0ms) {
      EXPECT_EQ(mine.retry_after, its.retry_after);
    }
  }
  void begin_payment(std::size_t number, BeginPayment::By by) {
    model_.pass(now_);
    check(model_.begin_payment(number, by), ledger_.apply(BeginPayment{.ref = ref(number), .by = by}, now_).outcome);
  }
  void finish_payment(std::size_t number, Charge charge) {
    model_.pass(now_);
    const std::string id = charge == Charge::charged ? "charge-" + std::to_string(number) : "";
    const FinishPayment command{
        .ref = ref(number), .charge = charge, .payment = {.id = id, .account_number = "account"}};
    check(model_.finish_payment(number, charge, id), ledger_.apply(command, now_).outcome);
  }
  void confirm(std::size_t number, const std::string& id) {
    model_.pass(now_);
    check(model_.confirm(number, id), ledger_.apply(Confirm{.ref = ref(number), .payment_id = id}, now_).outcome);
  }
  void cancel(std::size_t number) {
    model_.pass(now_);
    check(model_.cancel(number), ledger_.apply(Cancel{ref(number)}, now_).outcome);
  }
  void give_back(std::size_t number, std::optional<Units> quantity = {}, std::optional<Units> if_quantity = {}) {
    model_.pass(now_);
    check(model_.give_back(number, quantity, if_quantity),
          ledger_.apply(Return{ref(number), quantity, if_quantity}, now_).outcome);
  }
  void extend(std::size_t number, Milliseconds by) {
    model_.pass(now_);
    check(model_.extend(number, by), ledger_.apply(Extend{ref(number), by}, now_).outcome);
  }
  void transfer(std::size_t number, const std::string& customer) {
    model_.pass(now_);
    check(model_.transfer(number, customer), ledger_.apply(Transfer{ref(number), customer}, now_).outcome);
  }
  void fulfil(std::size_t number) {
    model_.pass(now_);
    check(model_.fulfil(number), ledger_.apply(Fulfil{ref(number)}, now_).outcome);
  }
  void finish_refund(std::size_t number) {
    model_.pass(now_);
    check(model_.finish_refund(number), ledger_.apply(FinishRefund{ref(number)}, now_).outcome);
  }
  void patch(const PatchSale& command) {
    model_.pass(now_);
    check(model_.patch(command), ledger_.apply(command, now_).outcome);
  }

  /// The process dies; another builds the ledger again from what the changes said.
  void restart() {
    stored_.take(ledger_);
    Ledger fresh({.hash_seed = static_cast<std::uint64_t>(now_.time_since_epoch().count())});
    EXPECT_EQ(stored_.rebuild(fresh, now_), std::nullopt);
    ledger_ = std::move(fresh);
    model_.forget_refusals();
  }

  /// Everything that can be seen, against the model and against the promises.
  void compare();
  /// Checks the events written since the last call. Called by `compare`.
  void store() { stored_.take(ledger_); }

 private:
  static ReservationRef ref(std::size_t number) { return {SaleHandle{1}, Number{number}}; }
  static void check(Outcome mine, Outcome its) { EXPECT_EQ(static_cast<int>(mine), static_cast<int>(its)); }
  void compare_one(std::size_t number);
  void check_promises();
  void check_events();

  Ledger ledger_;
  Model model_;
  Instant now_ = day_one;
  Stored stored_;
  std::size_t events_seen_ = 0;
  std::uint64_t last_granted_ = 0;
};

}  // namespace firstcome::sale
