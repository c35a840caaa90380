// How fast a sale has been granting, measured over the last minute, from which waiting customers get an estimate.
#pragma once

#include <firstcome/types.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace firstcome::sale {

/// Sixty buckets of a second each. In memory only: after a start the rate is unknown until something is granted.
class GrantRate {
 public:
  void count(Instant now) {
    const std::int64_t second = second_of(now);
    if (newest_ == never) began_ = now;
    if (newest_ == never || second - newest_ >= seconds) {
      buckets_.fill(0);
    } else {
      for (std::int64_t at = newest_ + 1; at <= second; ++at) bucket(at) = 0;
    }
    newest_ = second;
    ++bucket(second);
  }

  /// How long `reservations` grants take at that rate. Nothing if none was made in the last minute.
  std::optional<Milliseconds> time_for(std::uint64_t reservations, Instant now) const {
    if (newest_ == never) return std::nullopt;
    std::uint64_t granted = 0;
    const std::int64_t now_second = second_of(now);
    for (std::int64_t at = now_second - seconds + 1; at <= newest_; ++at) {
      if (at > newest_ - seconds) granted += buckets_[index(at)];
    }
    if (granted == 0) return std::nullopt;
    std::int64_t window = (now - began_).count();
    if (window < 1'000) window = 1'000;
    if (window > 60'000) window = 60'000;
    // Rounded up; below 2^32 reservations times 60 000 nothing overflows.
    return Milliseconds{
        static_cast<std::int64_t>((reservations * static_cast<std::uint64_t>(window) + granted - 1) / granted)};
  }

 private:
  static constexpr std::int64_t seconds = 60;
  static constexpr std::int64_t never = INT64_MIN;
  static std::int64_t second_of(Instant at) {
    return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  }
  static std::size_t index(std::int64_t second) {
    return static_cast<std::size_t>((second % seconds + seconds) % seconds);
  }
  std::uint32_t& bucket(std::int64_t second) { return buckets_[index(second)]; }

  std::array<std::uint32_t, seconds> buckets_{};
  std::int64_t newest_ = never;
  Instant began_{};
};

}  // namespace firstcome::sale
