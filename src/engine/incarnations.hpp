// Under which incarnation a store gave each number, and how it tells numbers and sequences to those outside.
//
// An engine counts reservations and events of a sale from 1 without gaps. After it has lost part of its past it counts
// on from what it still knows; outside, numbers and sequences must go on above those that were told before. So each
// *era* of a sale says what is added to both. A store that has lost nothing adds nothing.
#pragma once

#include <firstcome/past_command.hpp>
#include <firstcome/types.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

/// What holds for one sale from some reservation and some event on.
struct Era {
  SaleHandle sale{};
  std::uint64_t after_number = 0;    ///< as the engine counts: of all above it
  std::uint64_t after_sequence = 0;  ///< likewise
  Incarnation incarnation{};
  std::uint64_t added_to_number = 0;
  std::uint64_t added_to_sequence = 0;

  bool operator==(const Era&) const = default;
};

/// What those outside are told.
struct ToldNumber {
  Incarnation incarnation{};
  std::uint64_t number = 0;

  bool operator==(const ToldNumber&) const = default;
};
struct ToldSequence {
  Incarnation incarnation{};
  std::uint64_t sequence = 0;

  bool operator==(const ToldSequence&) const = default;
};

/// A value. Cost of a look-up: one look into a hash table, and the logarithm of the eras that the sale has had. Cost of
/// a copy, and of the first change of a copy: little, as most of it is shared; a node that has many sales makes one for
/// each of them.
class Incarnations {
 public:
  /// Sales with this handle or a higher one begin in this incarnation. One that was said for the same handle before
  /// goes.
  void begin(Incarnation incarnation, SaleHandle first);
  /// An era begins, behind those of its sale; one that was said for the same place before goes.
  void begin(const Era& era);

  /// All eras of a sale, in place of those that were said before.
  void set(SaleHandle sale, std::vector<Era> eras);

  ToldNumber told(ReservationRef ref) const;
  ToldSequence told_sequence(SaleHandle sale, std::uint64_t sequence) const;
  /// The reservation that was told so. Nothing: this store, as it is now, never gave that number under that
  /// incarnation.
  std::optional<ReservationRef> find(SaleHandle sale, ToldNumber wanted) const;
  /// The same of an event's sequence.
  std::optional<std::uint64_t> find_sequence(SaleHandle sale, ToldSequence wanted) const;

  /// Whether anything was said of any sale.
  bool has_any() const { return !made_.empty() || sales_ > 0; }

  /// The last sale that was said to begin in an incarnation. Nothing: there was none.
  std::optional<SaleHandle> last_beginning() const;

  /// What holds at the end of a sale: for its next reservation and its next event.
  Era last_of(SaleHandle sale) const;

 private:
  using Eras = std::vector<Era>;
  /// Some of the sales, by handle. Never changed once it is shared.
  using Shelf = std::unordered_map<std::uint64_t, std::shared_ptr<const Eras>>;
  static constexpr std::size_t shelf_count = 2'048;

  Incarnation made_in(SaleHandle sale) const;
  const Eras& eras_of(SaleHandle sale) const;
  const Era* era_of(SaleHandle sale, std::uint64_t count, std::uint64_t Era::* after) const;
  std::vector<std::uint64_t> candidates(SaleHandle sale, std::uint64_t told, std::uint64_t Era::* added) const;

  std::map<SaleHandle, Incarnation> made_;                         ///< by the first sale that was made in it
  std::size_t sales_ = 0;                                          ///< that have eras
  std::array<std::shared_ptr<const Shelf>, shelf_count> shelves_;  ///< by handle; null: nothing is in it
};

}  // namespace firstcome::engine
