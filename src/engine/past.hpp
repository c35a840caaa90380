// Finds out whether a store has lost part of its past, from what a witness was told. Pure.
#pragma once

#include "engine/incarnations.hpp"

#include <firstcome/past_command.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

/// How far a store has counted in one sale.
struct Reached {
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;
  std::uint64_t sequence_delivered = 0;  ///< events behind it were not delivered since the last era began
};

/// A witness may not have been told of every event. Sequences go on so far above the highest that it knows.
inline constexpr std::uint64_t sequences_left_free = 1'000;

/// A witness that knows of more events than so many above those of the store has another reason than a loss: its row
/// was changed by hand, or is damaged. At a million events a second it would be twelve days of them.
inline constexpr std::uint64_t most_lost_sequences = std::uint64_t{1} << 40;

/// What is lost, and the era in which the sale goes on, whose incarnation is for the caller to choose.
struct FoundLoss {
  Loss loss;
  Era era;
};

/// Compares one sale. Of several memories of a sale the lower come first, and the era of each is begun before the next
/// is compared. `known` are the losses of that sale that were noted before. REQUIRES: it is possible. Nothing: the
/// store knows all that the witness was told, or has noted its loss. The caller fills in who the witness is and when.
std::optional<FoundLoss> find_loss(const Incarnations& incarnations, Reached reached, const Memory& memory,
                                   std::span<const Loss> known);

/// Whether a sale may have told of so many events. What cannot be is compared with nothing: to go on above it would
/// leave no sequences.
bool is_possible(const Incarnations& incarnations, const Reached& reached, const Memory& memory);
/// A sentence for the log, that says which row of which table is to be mended.
std::string text_of_impossible(const Memory& memory, std::string_view witness);

/// Losses by their sale. Cost of a look-up: one look into a hash table.
class LossesBySale {
 public:
  void add(const Loss& loss) { by_sale_[value(loss.sale)].push_back(loss); }
  /// Returns the losses of one sale as they were found; this class does not know whether they are settled by now.
  std::span<const Loss> of(SaleHandle sale) const;

 private:
  std::unordered_map<std::uint64_t, std::vector<Loss>> by_sale_;
};

/// A sentence for the log and for an audit, that says what is lost and who knows of it.
std::string text_of(const Loss& loss);
/// A sentence for whoever asks whether the store is ready. REQUIRES: count > 0.
std::string text_of_losses(std::size_t count);

/// The loss of a whole sale, which the store does not know at all. Nothing: noted before.
std::optional<Loss> find_lost_sale(const Memory& memory, std::span<const Loss> known);

}  // namespace firstcome::engine
