// Finds out whether a store has lost part of its past, from what a witness was told. Pure.
#pragma once

#include "engine/incarnations.hpp"

#include <firstcome/past_command.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace firstcome::engine {

/// How far a store has counted in one sale.
struct Reached {
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;
  std::uint64_t sequence_delivered = 0;  ///< events behind it were not delivered since the last era began
};

/// A witness may not have been told of every event. Sequences go on so far above the highest that it knows.
inline constexpr std::uint64_t sequences_left_free = 1'000;

/// What is lost, and the era in which the sale goes on, whose incarnation is for the caller to choose.
struct FoundLoss {
  Loss loss;
  Era era;
};

/// Compares one sale. Of several memories of a sale the lower come first, and the era of each is begun before the next
/// is compared. `known` are the losses that were noted before. Nothing: the store knows all that the witness was
/// told, or has noted its loss. The caller fills in who the witness is and when.
std::optional<FoundLoss> find_loss(const Incarnations& incarnations, Reached reached, const Memory& memory,
                                   std::span<const Loss> known);

/// A sentence for the log and for an audit, that says what is lost and who knows of it.
std::string text_of(const Loss& loss);
/// A sentence for whoever asks whether the store is ready. REQUIRES: count > 0.
std::string text_of_losses(std::size_t count);

/// The loss of a whole sale, which the store does not know at all. Nothing: noted before.
std::optional<Loss> find_lost_sale(const Memory& memory, std::span<const Loss> known);

}  // namespace firstcome::engine
