#include "sale/reservations.hpp"

#include <algorithm>
#include <cassert>

namespace firstcome::sale {

namespace {

// A text in the arena: its length in two bytes, then itself.
using Length = std::uint16_t;
constexpr std::size_t longest_text = 4'096;

char* put_text(char* at, std::string_view text) {
  const auto length = static_cast<Length>(text.size());
  std::memcpy(at, &length, sizeof length);
  if (length != 0) std::memcpy(at + sizeof length, text.data(), length);
  return at + sizeof length + length;
}

std::string_view get_text(const char* at) {
  Length length = 0;
  std::memcpy(&length, at, sizeof length);
  return {at + sizeof length, length};
}

}  // namespace

void Reservations::set_reference(ShortNumber number, std::string_view reference) {
  if (reference.empty()) return;
  reference = reference.substr(0, longest_text);
  const std::uint32_t place = texts_.take(sizeof(Length) + reference.size());
  put_text(static_cast<char*>(texts_.at(place)), reference);
  references_.set(number, place);
}

std::string_view Reservations::reference(ShortNumber number) const {
  const std::uint32_t place = references_.get(number);
  return place == 0 ? std::string_view{} : get_text(static_cast<const char*>(texts_.at(place)));
}

Reservations::PaymentText Reservations::payment(ShortNumber number) const {
  const std::uint32_t place = payments_.get(number);
  if (place == 0) return {};
  const std::string_view id = get_text(static_cast<const char*>(texts_.at(place)));
  return {.id = id, .account_number = get_text(id.data() + id.size())};
}

void Reservations::set_payment(ShortNumber number, std::string_view id, std::string_view account_number) {
  id = id.substr(0, longest_text);
  account_number = account_number.substr(0, longest_text);
  const std::uint32_t place = texts_.take(2 * sizeof(Length) + id.size() + account_number.size());
  put_text(put_text(static_cast<char*>(texts_.at(place)), id), account_number);
  payments_.set(number, place);
}

Instant Reservations::claimed_at(ShortNumber number) const {
  const auto found = claims_.find(number);
  return found == claims_.end() ? Instant{} : found->second;
}

ShortNumber Reservations::find(KeyHash key, std::uint64_t hash, Instant now) const {
  return keys_.find(hash, oldest_key_, [&](ShortNumber candidate) {
    const PackedReservation& record = (*this)[candidate];
    return record.key == key && now - record.created_at < limits::key_lifetime;
  });
}

void Reservations::remember(ShortNumber number, std::uint64_t hash, Instant now) {
  drop_old_keys(now);
  keys_.insert(hash, number, oldest_key_);
}

// Once an hour the border below which keys are too old is moved; after that each new key sweeps one shard, so that
// nobody waits for all of them.
void Reservations::drop_old_keys(Instant now) {
  if (shards_to_sweep_ != 0) keys_.sweep(--shards_to_sweep_, oldest_key_);
  const std::int64_t hour = now.time_since_epoch() / std::chrono::hours{1};
  if (hour == keys_dropped_at_) return;
  keys_dropped_at_ = hour;
  ShortNumber low = oldest_key_;
  ShortNumber high = count();  // the one being added is young
  while (low < high) {
    const ShortNumber middle = low + (high - low) / 2;
    if (now - (*this)[middle].created_at >= limits::key_lifetime) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low != oldest_key_) shards_to_sweep_ = FlatIndex::shard_count;
  oldest_key_ = low;
}

}  // namespace firstcome::sale
