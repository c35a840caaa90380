#include "engine/guarded/plain_seller.hpp"

#include "engine/guarded/pauses.hpp"
#include "engine/guarded/purchase_charge.hpp"

#include <chrono>
#include <memory>

namespace firstcome::engine {
namespace {

/// Between the two transactions of GuardKind::none.
constexpr std::chrono::milliseconds between_transactions{1};

/// Ends what an exception or a refusal left begun.
class Begun {
 public:
  explicit Begun(Book& book) : book_(book) { book_.begin(); }
  ~Begun() {
    if (open_) book_.roll_back();
  }
  Begun(const Begun&) = delete;
  Begun& operator=(const Begun&) = delete;

  void commit() {
    book_.commit();  // where this throws it is rolled back as well, for the session's sake
    open_ = false;
  }
  void again() {
    book_.begin();
    open_ = true;
  }

 private:
  Book& book_;
  bool open_ = true;
};

}  // namespace

Sold PlainSeller::sell(const Purchase& purchase) {
  PurchaseCharge charge(parts_.options, purchase);
  return sell_again(parts_.options.wait, charge, [&] { return attempt(purchase, charge); });
}

Sold PlainSeller::attempt(const Purchase& purchase, PurchaseCharge& charge) {
  const GuardedOptions& options = parts_.options;
  const bool commits_late = options.release == ReleaseTime::before_commit;
  // The transaction is declared before the guard where it is the outer of the two: what is left is undone inwards out.
  std::optional<Begun> outer;
  if (commits_late) outer.emplace(book_);
  const std::unique_ptr<Guard::Held> held = parts_.guard->enter(purchase.terms.id);
  if (!held) return {.outcome = Outcome::busy};
  std::optional<Begun> inner;
  if (!commits_late) inner.emplace(book_);
  Begun& begun = commits_late ? *outer : *inner;

  const Seen seen = book_.read(purchase);
  if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
  if (options.guard == GuardKind::none) begun.commit();
  between_read_and_write(options);
  if (const auto no = charge.charge_inside()) return {.outcome = *no};
  if (options.guard == GuardKind::none) {
    rest_for(between_transactions);
    begun.again();
  }
  WrittenOrder written = book_.write(
      purchase, seen, {.token = held->token(), .paid = charge.is_paid_when_written(), .payment = charge.payment()});
  if (commits_late) {
    held->let_go();
    if (options.commit_after.count() > 0) rest_for(options.commit_after);
  }
  begun.commit();
  written = book_.after_commit(written);
  if (parts_.commits != nullptr) parts_.commits->add({purchase.sale, written.number, options.now()});
  if (!commits_late) held->let_go();

  if (charge.comes_after()) {
    if (const auto no = charge.charge()) {
      take_back(purchase, written.number, After::forgotten);
      return {.outcome = *no};
    }
    charge.keep();  // whatever becomes of the mark: the order is there
    book_.mark_paid(purchase, written.number, charge.payment().value());
  }
  return {.outcome = Outcome::done, .number = written.number, .at = written.at};
}

/// Inside the guard as well: others inside write what they have read. Where it cannot be had in time the units come
/// back without it, which is better than never.
bool PlainSeller::take_back(const Purchase& purchase, Number number, After after) {
  const auto deadline = std::chrono::steady_clock::now() + parts_.options.wait;
  RandomPauses pauses;
  std::unique_ptr<Guard::Held> held = parts_.guard->enter(purchase.terms.id);
  while (!held && std::chrono::steady_clock::now() < deadline && !parts_.stop.stop_requested()) {
    pauses.rest();
    held = parts_.guard->enter(purchase.terms.id);
  }
  if (!held && parts_.stop.stop_requested()) {
    throw InventoryFailure{InventoryFailure::Kind::unavailable, "the server stops"};
  }
  const bool taken = book_.take_back(purchase, number, after);
  if (held) held->let_go();
  return taken;
}

}  // namespace firstcome::engine
