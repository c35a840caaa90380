#include "engine/guarded/redis/redis_book.hpp"

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

}  // namespace firstcome::engine
