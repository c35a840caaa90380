// A set of 32-bit values found by a 64-bit hash: the index behind customers, idempotency keys and refusals.
//
// Mechanism: open addressing with linear probing over entries of (32 bits of the hash, value), eight bytes each; what
// the value names is compared by the caller. The set is split into shards by other bits of the hash, so that growing
// moves one shard at a time and nobody waits long. A tag's home is tag * capacity / 2^32, so entries lie nearly in
// order of their tags and a shard is rebuilt by walking it once.
//
// Nothing is erased one by one: values rise with time, and those below `oldest` are dead. They are dropped when their
// shard is rebuilt.
#pragma once

#include "sale/prefetch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace firstcome::sale {

/// Not thread-safe. 11 to 19 bytes a value.
class FlatIndex {
 public:
  static constexpr std::size_t shard_count = 64;

  /// Makes the processor fetch what `find` and `insert` of this hash will look at.
  void prefetch(std::uint64_t hash) const {
    if (!shards_) return;
    const Shard& shard = shards_[shard_of(hash)];
    if (shard.capacity == 0) return;
    const Entry* entry = &shard.entries[home(hash, shard.capacity)];
    prefetch_memory(entry);
    prefetch_memory(entry + 8);  // probing often goes on in the next line; past the end is harmless
  }

  /// The value, at least `oldest`, with this hash for which `same(value)` holds; 0: none.
  template <class Same>
  std::uint32_t find(std::uint64_t hash, std::uint32_t oldest, Same same) const {
    if (!shards_) return 0;
    const Shard& shard = shards_[shard_of(hash)];
    if (shard.capacity == 0) return 0;
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t slot = home(hash, shard.capacity); shard.entries[slot].value != 0;) {
      const Entry& entry = shard.entries[slot];
      if (entry.tag == tag && entry.value >= oldest && same(entry.value)) return entry.value;
      if (++slot == shard.capacity) slot = 0;
    }
    return 0;
  }

  /// REQUIRES: value is not 0 and not in the set.
  void insert(std::uint64_t hash, std::uint32_t value, std::uint32_t oldest) {
    if (!shards_) shards_ = std::make_unique<Shard[]>(shard_count);
    Shard& shard = shards_[shard_of(hash)];
    if ((shard.used + 1) * 4 > shard.capacity * 3) rebuild(shard, oldest);
    put(shard, Entry{tag_of(hash), value});
  }

  /// Drops the dead of one shard, `turn` modulo the number of shards. Cost: the size of the shard.
  void sweep(std::size_t turn, std::uint32_t oldest) {
    if (!shards_) return;
    Shard& shard = shards_[turn % shard_count];
    if (shard.used != 0) rebuild(shard, oldest);
  }

  void clear() { shards_.reset(); }

  std::size_t bytes() const {
    if (!shards_) return 0;
    std::size_t total = shard_count * sizeof(Shard);
    for (std::size_t at = 0; at < shard_count; ++at) total += shards_[at].capacity * sizeof(Entry);
    return total;
  }

 private:
  struct Entry {
    std::uint32_t tag = 0;
    std::uint32_t value = 0;
  };
  struct Shard {
    std::unique_ptr<Entry[]> entries;
    std::size_t capacity = 0;
    std::size_t used = 0;
  };

  static std::size_t shard_of(std::uint64_t hash) { return (hash >> 32) % shard_count; }
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
  static std::size_t home(std::uint64_t hash, std::size_t capacity) { return home_of(tag_of(hash), capacity); }
  static std::size_t home_of(std::uint32_t tag, std::size_t capacity) {
    return static_cast<std::size_t>((static_cast<std::uint64_t>(tag) * capacity) >> 32);
  }

  static void put(Shard& shard, Entry entry) {
    std::size_t slot = home_of(entry.tag, shard.capacity);
    while (shard.entries[slot].value != 0) {
      if (++slot == shard.capacity) slot = 0;
    }
    shard.entries[slot] = entry;
    ++shard.used;
  }

  static std::size_t count_live(const Shard& shard, std::uint32_t oldest) {
    std::size_t live = 0;
    for (std::size_t slot = 0; slot < shard.capacity; ++slot) {
      const std::uint32_t found = shard.entries[slot].value;
      if (found != 0 && found >= oldest) ++live;
    }
    return live;
  }

  static void rebuild(Shard& shard, std::uint32_t oldest) {
    Shard fresh;
    const std::size_t live = oldest <= 1 ? shard.used : count_live(shard, oldest);
    fresh.capacity = std::max<std::size_t>(8, live * 7 / 3);
    fresh.entries = std::make_unique<Entry[]>(fresh.capacity);
    for (std::size_t slot = 0; slot < shard.capacity; ++slot) {
      const Entry& entry = shard.entries[slot];
      if (entry.value != 0 && entry.value >= oldest) put(fresh, entry);
    }
    shard = std::move(fresh);
  }

  std::unique_ptr<Shard[]> shards_;  // none until something is inserted: many sales are at rest
};

}  // namespace firstcome::sale
