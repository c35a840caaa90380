// Plain Redis keys for guards that stand beside them: what is written goes with the commit, in one script.
#pragma once

#include "engine/guarded/book.hpp"
#include "engine/guarded/redis/redis_shelf.hpp"

#include <optional>

namespace firstcome::engine {

class RedisBook final : public Book {
 public:
  /// `shelf` must outlive it.
  explicit RedisBook(RedisShelf& shelf) : shelf_(shelf) {}

  void begin() override { staged_.reset(); }
  Seen read(const Purchase& purchase) override { return shelf_.look(purchase); }
  WrittenOrder write(const Purchase& purchase, const Seen& seen, const Stamp& stamp) override;
  void commit() override;
  WrittenOrder after_commit(const WrittenOrder& /*written*/) const override { return written_; }
  void roll_back() noexcept override { staged_.reset(); }
  bool mark_paid(const Purchase& purchase, Number number, const Payment& payment) override {
    return shelf_.mark_paid(purchase, number, payment);
  }
  bool take_back(const Purchase& purchase, Number number, After after) override {
    return shelf_.take_back(purchase, number, after);
  }

 private:
  struct Staged {
    OrderRow row;
    RedisShelf::Writing writing;
  };

  RedisShelf& shelf_;
  std::optional<Staged> staged_;
  Purchase purchase_;  ///< the last that was written
  WrittenOrder written_;
};

}  // namespace firstcome::engine
