// The customers of one sale: what counts for their limits, and where the chain of their reservations begins.
#pragma once

#include "sale/chunked.hpp"
#include "sale/flat_index.hpp"
#include "sale/hash.hpp"

#include <firstcome/types.hpp>

#include <cassert>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace firstcome::sale {

/// Names a customer inside one sale. 0 names none.
enum class CustomerId : std::uint32_t {};

/// The text follows it in memory.
struct Customer {
  Units units = 0;            ///< in queued, held and confirmed reservations
  ShortNumber latest = 0;     ///< the last reservation; each names the one before it
  std::uint32_t open = 0;     ///< queued and held reservations
  ShortNumber corrected = 0;  ///< refusals of all who wait are counted up to here
  std::uint8_t length = 0;
  std::uint8_t unmarked = 0;  ///< reservations since the last that names the mark before it
};

/// Not thread-safe. 40 bytes and an index entry for a customer of 16 bytes. Customers never leave.
class Customers {
 public:
  explicit Customers(std::uint64_t seed) : seed_(seed) {}

  std::uint64_t hash(std::string_view text) const { return hash_text(text, seed_); }
  void prefetch(std::uint64_t hash) const { index_.prefetch(hash); }

  /// Fetches the customer that `find` will compare with, where its index entry is at hand.
  void prefetch_text(std::uint64_t hash) const {
    const std::uint32_t place = index_.find(hash, 1, [](std::uint32_t) { return true; });
    if (place == 0) return;
    const auto* customer = static_cast<const Customer*>(arena_.at(place));
    prefetch_memory(customer);
    prefetch_memory(customer + 1);  // the text may lie in the next line
  }

  CustomerId find(std::string_view text, std::uint64_t hash) const {
    return CustomerId{
        index_.find(hash, 1, [&](std::uint32_t place) { return equal_texts(this->text(CustomerId{place}), text); })};
  }

  /// REQUIRES: not there yet, at most 255 bytes.
  CustomerId insert(std::string_view text, std::uint64_t hash) {
    assert(text.size() <= UINT8_MAX);
    const std::uint32_t place = arena_.take(sizeof(Customer) + text.size());
    auto* customer = new (arena_.at(place)) Customer{};
    customer->length = static_cast<std::uint8_t>(text.size());
    std::memcpy(reinterpret_cast<char*>(customer + 1), text.data(), text.size());
    index_.insert(hash, place, 1);
    return CustomerId{place};
  }

  Customer& operator[](CustomerId id) { return *static_cast<Customer*>(arena_.at(static_cast<std::uint32_t>(id))); }
  const Customer& operator[](CustomerId id) const {
    return *static_cast<const Customer*>(arena_.at(static_cast<std::uint32_t>(id)));
  }
  std::string_view text(CustomerId id) const {
    const Customer& customer = (*this)[id];
    return {reinterpret_cast<const char*>(&customer + 1), customer.length};
  }

  std::size_t bytes() const { return arena_.bytes() + index_.bytes(); }

 private:
  std::uint64_t seed_;
  Arena arena_;
  FlatIndex index_;
};

}  // namespace firstcome::sale
