#include "engine/guarded/redis/redis_book.hpp"

#include <cassert>

namespace firstcome::engine {

WrittenOrder RedisBook::write(const Purchase& purchase, const Seen& seen, const Stamp& stamp) {
  purchase_ = purchase;
  RedisShelf::Writing writing{.stamp = stamp, .change = RedisShelf::StockChange::set};
  writing.units = seen.available - purchase.quantity;
  staged_ = Staged{shelf_.row_of(purchase, seen, stamp), writing};
  return {};
}

void RedisBook::commit() {
  if (!staged_) return;
  written_ = shelf_.write(purchase_, staged_->row, staged_->writing);
  staged_.reset();
}

void RedisBook::mark_paid([[maybe_unused]] SaleHandle sale, Number number) {
  assert(sale == purchase_.sale);
  shelf_.mark_paid(purchase_, number);
}

void RedisBook::take_back([[maybe_unused]] SaleHandle sale, Number number, [[maybe_unused]] Units quantity) {
  assert(sale == purchase_.sale && quantity == purchase_.quantity);
  shelf_.take_back(purchase_, number);
}

}  // namespace firstcome::engine
