#include "sale/waiting_line.hpp"

#include <bit>

namespace firstcome::sale {

void Departures::add(ShortNumber number) {
  assert(!contains(number));
  Block& block = blocks_[number / block_size];
  const ShortNumber bit = number % block_size;
  block.bits[bit / 64] |= std::uint64_t{1} << (bit % 64);
  ++block.count;
}

bool Departures::contains(ShortNumber number) const {
  if (blocks_.empty()) return false;
  const auto found = blocks_.find(number / block_size);
  if (found == blocks_.end()) return false;
  const ShortNumber bit = number % block_size;
  return (found->second.bits[bit / 64] >> (bit % 64) & 1) != 0;
}

/// Goes word by word: a million may have left one behind the other.
ShortNumber Departures::end_of_run(ShortNumber number) const {
  for (auto at = blocks_.find(number / block_size); at != blocks_.end() && at->first == number / block_size;) {
    const ShortNumber bit = number % block_size;
    const auto run = static_cast<ShortNumber>(std::countr_one(at->second.bits[bit / 64] >> (bit % 64)));
    number += run;
    if (run < 64 - bit % 64) break;
    if (number % block_size == 0) ++at;
  }
  return number;
}

std::uint32_t Departures::Block::count_between(std::uint32_t first, std::uint32_t last) const {
  std::uint32_t total = 0;
  for (std::uint32_t word = first / 64; word <= last / 64; ++word) {
    std::uint64_t kept = bits[word];
    if (word == first / 64) kept &= ~std::uint64_t{0} << (first % 64);
    if (word == last / 64) kept &= ~std::uint64_t{0} >> (63 - last % 64);
    total += static_cast<std::uint32_t>(std::popcount(kept));
  }
  return total;
}

std::uint64_t Departures::count(ShortNumber first, ShortNumber last) const {
  if (first > last) return 0;
  const ShortNumber first_block = first / block_size;
  const ShortNumber last_block = last / block_size;
  std::uint64_t total = 0;
  for (auto at = blocks_.lower_bound(first_block); at != blocks_.end() && at->first <= last_block; ++at) {
    const std::uint32_t from = at->first == first_block ? first % block_size : 0;
    const std::uint32_t to = at->first == last_block ? last % block_size : block_size - 1;
    const bool whole = from == 0 && to == block_size - 1;
    total += whole ? at->second.count : at->second.count_between(from, to);
  }
  return total;
}

void Departures::forget_upto(ShortNumber number) {
  while (!blocks_.empty() && blocks_.begin()->first < number / block_size) blocks_.erase(blocks_.begin());
}

void WaitingLine::leave(ShortNumber number) {
  assert(waiting_ > 0 && number > serving_ && number <= last_);
  --waiting_;
  if (number == serving_ + 1) {
    serving_ = number;
  } else {
    departures_.add(number);
  }
  skip_departed();
}

void WaitingLine::leave_all() {
  waiting_ = 0;
  serving_ = last_;
  departures_.clear();
}

void WaitingLine::skip_departed() {
  if (waiting_ == 0) return leave_all();
  if (departures_.empty()) return;
  serving_ = departures_.end_of_run(serving_ + 1) - 1;
  departures_.forget_upto(serving_);
}

}  // namespace firstcome::sale
