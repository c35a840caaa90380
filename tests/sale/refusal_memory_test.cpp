#include "sale/refusal_memory.hpp"

#include "sale/hash.hpp"

#include <gtest/gtest.h>

namespace firstcome::sale {
namespace {

constexpr Instant noon{std::chrono::days{20'000}};

RememberedRefusal refusal(std::uint64_t key, Instant at = noon) {
  RememberedRefusal one;
  one.key = {.high = 1, .low = key};
  one.at = at;
  one.sale = SaleHandle{1};
  one.quantity = static_cast<std::uint32_t>(key);
  return one;
}

KeyHash key_of(std::uint64_t key) { return {.high = 1, .low = key}; }

/// With the hash that goes with each key.
class Memory {
 public:
  explicit Memory(std::size_t capacity = 1'000) : memory_(capacity) {}
  const RememberedRefusal* find(SaleHandle sale, KeyHash key, Instant now) const {
    return memory_.find(sale, key, hash_of(key, 7), now);
  }
  void remember(const RememberedRefusal& one) { memory_.remember(hash_of(one.key, 7), one); }
  std::size_t size() const { return memory_.size(); }

 private:
  RefusalMemory memory_;
};

TEST(RefusalMemory, FindsWhatItWasTold) {
  Memory memory;
  EXPECT_EQ(memory.find(SaleHandle{1}, key_of(1), noon), nullptr);
  memory.remember(refusal(1));
  memory.remember(refusal(2));
  const RememberedRefusal* found = memory.find(SaleHandle{1}, key_of(2), noon);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->quantity, 2u);
  EXPECT_EQ(memory.find(SaleHandle{2}, key_of(2), noon), nullptr) << "another sale";
}

TEST(RefusalMemory, KeepsTheLastOfThem) {
  Memory memory(100);
  for (std::uint64_t key = 1; key <= 10'000; ++key) {
    memory.remember(refusal(key));
    EXPECT_LE(memory.size(), 100u);
    ASSERT_NE(memory.find(SaleHandle{1}, key_of(key), noon), nullptr);
    if (key > 100) {
      ASSERT_NE(memory.find(SaleHandle{1}, key_of(key - 99), noon), nullptr);
      ASSERT_EQ(memory.find(SaleHandle{1}, key_of(key - 100), noon), nullptr);
    }
  }
}

TEST(RefusalMemory, ForgetsAfterTenMinutes) {
  Memory memory;
  memory.remember(refusal(1));
  const Instant last = noon + limits::refusal_lifetime - Milliseconds{1};
  EXPECT_NE(memory.find(SaleHandle{1}, key_of(1), last), nullptr);
  EXPECT_EQ(memory.find(SaleHandle{1}, key_of(1), last + Milliseconds{1}), nullptr);
  memory.remember(refusal(1, last + Milliseconds{1}));
  EXPECT_EQ(memory.size(), 1u);
  EXPECT_NE(memory.find(SaleHandle{1}, key_of(1), last + limits::refusal_lifetime), nullptr);
}

}  // namespace
}  // namespace firstcome::sale
