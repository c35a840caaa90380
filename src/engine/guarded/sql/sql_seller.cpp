#include "engine/guarded/sql/sql_seller.hpp"

namespace firstcome::engine {

Sold SqlSeller::sell(const Purchase& purchase) {
  PurchaseCharge charge(parts_.options, purchase);
  return sell_again(parts_.options.wait, charge, [&] {
    const Sold sold = try_once(purchase, charge);
    if (sold.outcome != Outcome::done || !charge.comes_after()) return sold;
    return pay_after(purchase, sold, charge);
  });
}

Sold SqlSeller::try_once(const Purchase& purchase, PurchaseCharge& charge) {
  const End end{*this};
  return attempt(purchase, charge);
}

Sold SqlSeller::pay_after(const Purchase& purchase, const Sold& sold, PurchaseCharge& charge) {
  if (const auto no = charge.charge()) {
    end_hold(purchase, sold.number, After::forgotten);
    return {.outcome = *no};
  }
  charge.keep();  // whatever becomes of the mark: the order is there
  book_.mark_paid(purchase, sold.number, charge.payment().value());
  return sold;
}

bool SqlSeller::end_hold(const Purchase& purchase, Number number, After after) {
  const End end{*this};
  return take_back(purchase, number, after);
}

bool SqlSeller::take_back(const Purchase& purchase, Number number, After after) {
  return book_.take_back(purchase, number, after);
}

Sold SqlSeller::why_not(const Purchase& purchase) {
  link_.roll_back();
  const Seen seen = book_.read(purchase);
  if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
  throw InventoryFailure{InventoryFailure::Kind::conflict, "units came back meanwhile"};
}

Sold SqlSeller::commit(const WrittenOrder& written, PurchaseCharge& charge) {
  if (const auto no = charge.charge_inside()) return {.outcome = *no};
  if (const auto payment = charge.payment()) book_.note_payment(charge.purchase(), written.number, *payment);
  link_.commit();
  return {.outcome = Outcome::done, .number = written.number, .at = written.at};
}

}  // namespace firstcome::engine
