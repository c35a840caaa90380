#include "sale/flat_index.hpp"

#include "sale/hash.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace firstcome::sale {
namespace {

std::uint32_t find_equal(const FlatIndex& index, std::uint64_t hash, std::uint32_t value, std::uint32_t oldest = 1) {
  return index.find(hash, oldest, [&](std::uint32_t candidate) { return candidate == value; });
}

TEST(FlatIndex, FindsEverythingWhileItGrows) {
  FlatIndex index;
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> hashes{0};
  for (std::uint32_t value = 1; value <= 50'000; ++value) {
    hashes.push_back(random());
    index.insert(hashes[value], value, 1);
  }
  for (std::uint32_t value = 1; value <= 50'000; ++value) ASSERT_EQ(find_equal(index, hashes[value], value), value);
  EXPECT_EQ(find_equal(index, random(), 1), 0u);
  EXPECT_LT(index.bytes(), 50'000u * 20);
}

TEST(FlatIndex, BearsThatAllCollide) {
  FlatIndex index;
  for (std::uint32_t value = 1; value <= 500; ++value) index.insert(UINT64_MAX, value, 1);
  for (std::uint32_t value = 1; value <= 500; ++value) EXPECT_EQ(find_equal(index, UINT64_MAX, value), value);
  EXPECT_EQ(find_equal(index, UINT64_MAX, 501), 0u);
}

TEST(FlatIndex, DropsTheDeadAndStaysSmall) {
  FlatIndex index;
  std::mt19937_64 random(4);
  std::map<std::uint32_t, std::uint64_t> live;
  constexpr std::uint32_t kept = 1'000;
  for (std::uint32_t value = 1; value <= 100'000; ++value) {
    const std::uint32_t oldest = value > kept ? value - kept : 1;
    live.erase(live.begin(), live.lower_bound(oldest));
    live[value] = random();
    index.insert(live[value], value, oldest);
    if (value % 5'000 != 0) continue;
    for (const auto& [each, hash] : live) ASSERT_EQ(find_equal(index, hash, each, oldest), each);
    ASSERT_EQ(find_equal(index, live.begin()->second, live.begin()->first, oldest + 1), 0u) << "dead";
  }
  EXPECT_LT(index.bytes(), 64u * 1'024);
  for (std::size_t shard = 0; shard < FlatIndex::shard_count; ++shard) index.sweep(shard, UINT32_MAX);
  EXPECT_LT(index.bytes(), 8u * 1'024);
}

TEST(HashText, DependsOnEveryByteTheLengthAndTheSeed) {
  std::map<std::uint64_t, std::string> seen;
  for (std::size_t length = 0; length < 70; ++length) {
    std::string text(length, 'a');
    EXPECT_TRUE(seen.emplace(hash_text(text, 1), text).second) << length;
    for (std::size_t at = 0; at < length; ++at) {
      text[at] = 'b';
      EXPECT_TRUE(seen.emplace(hash_text(text, 1), text).second) << length << " at " << at;
      text[at] = 'a';
    }
    EXPECT_NE(hash_text(text, 1), hash_text(text, 2));
  }
}

}  // namespace
}  // namespace firstcome::sale
