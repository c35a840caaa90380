#include "engine/guarded/sql/sql_seller.hpp"

namespace firstcome::engine {

Sold SqlSeller::sell(const Purchase& purchase) {
  PurchaseCharge charge(parts_.options, purchase);
  return sell_again(parts_.options.wait, charge, [&] {
    const Sold sold = try_once(purchase, charge);
    if (sold.outcome != Outcome::done || charge.is_paid_when_written()) return sold;
    return pay_after(purchase, sold, charge);
  });
}

Sold SqlSeller::try_once(const Purchase& purchase, PurchaseCharge& charge) {
  const End end{*this};
  return attempt(purchase, charge);
}

Sold SqlSeller::pay_after(const Purchase& purchase, const Sold& sold, PurchaseCharge& charge) {
  if (const auto no = charge.charge()) {
    const End end{*this};
    take_back(purchase, sold.number);
    return {.outcome = *no};
  }
  charge.keep();  // whatever becomes of the mark: the order is there
  book_.mark_paid(purchase.sale, sold.number);
  return sold;
}

void SqlSeller::take_back(const Purchase& purchase, Number number) {
  book_.take_back(purchase.sale, number, purchase.quantity);
}

Sold SqlSeller::commit(const WrittenOrder& written, PurchaseCharge& charge) {
  if (const auto no = charge.charge_inside()) return {.outcome = *no};
  link_.commit();
  return {.outcome = Outcome::done, .number = written.number, .at = written.at};
}

}  // namespace firstcome::engine
