#include "engine/past.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::engine {
namespace {

bool is_noted(const Memory& memory, std::span<const Loss> known) {
  return std::ranges::any_of(known, [&](const Loss& loss) {
    return loss.sale == memory.sale && loss.incarnation == memory.incarnation && memory.number <= loss.number_upto &&
           memory.sequence <= loss.sequence_upto;
  });
}

bool knows_number(const Incarnations& incarnations, const Reached& reached, const Memory& memory) {
  if (memory.number == 0) return true;
  const auto found = incarnations.find(memory.sale, {memory.number_incarnation, memory.number});
  return found && value(found->number) <= reached.number;
}

bool knows_sequence(const Incarnations& incarnations, const Reached& reached, const Memory& memory) {
  const auto found = incarnations.find_sequence(memory.sale, {memory.incarnation, memory.sequence});
  return found && *found <= reached.sequence;
}

Loss loss_above(const Memory& memory, const Reached& kept) {
  Loss loss;
  loss.sale = memory.sale;
  loss.sale_id = memory.sale_id;
  loss.incarnation = memory.incarnation;
  loss.number_from = kept.number + 1;
  loss.number_upto = memory.number;
  loss.sequence_from = kept.sequence + 1;
  loss.sequence_upto = memory.sequence;
  return loss;
}

}  // namespace

bool is_possible(const Incarnations& incarnations, const Reached& reached, const Memory& memory) {
  const std::uint64_t told = reached.sequence + incarnations.last_of(memory.sale).added_to_sequence;
  return memory.sequence <= told + most_lost_sequences;
}

std::string text_of_impossible(const Memory& memory, std::string_view witness) {
  return fmt::format(
      "{} say that sale {} has told of event {}, which cannot be; they are not compared with the store until the row "
      "with sale '{}', handle {} and incarnation {} of their table firstcome_told is mended or deleted",
      witness, memory.sale_id, static_cast<std::int64_t>(memory.sequence), memory.sale_id, value(memory.sale),
      value(memory.incarnation));
}

std::span<const Loss> LossesBySale::of(SaleHandle sale) const {
  const auto found = by_sale_.find(value(sale));
  return found == by_sale_.end() ? std::span<const Loss>{} : found->second;
}

std::optional<FoundLoss> find_loss(const Incarnations& incarnations, Reached reached, const Memory& memory,
                                   std::span<const Loss> known) {
  const Era last = incarnations.last_of(memory.sale);
  // As they are told: the next number and the next sequence would be one higher.
  const Reached told{reached.number + last.added_to_number, reached.sequence + last.added_to_sequence, 0};
  if (knows_number(incarnations, reached, memory) && knows_sequence(incarnations, reached, memory)) return std::nullopt;
  if (is_noted(memory, known)) return std::nullopt;

  FoundLoss result;
  result.loss = loss_above(memory, told);
  result.era.sale = memory.sale;
  result.era.after_number = reached.number;
  result.era.after_sequence = std::max(last.after_sequence, reached.sequence_delivered);
  result.era.added_to_number = std::max(told.number, memory.number) - reached.number;
  result.era.added_to_sequence = std::max(told.sequence, memory.sequence) + sequences_left_free - reached.sequence;
  return result;
}

std::string text_of(const Loss& loss) {
  std::string lost;
  if (loss.number_from <= loss.number_upto) {
    lost = fmt::format("reservations {} to {}", loss.number_from, loss.number_upto);
  }
  if (loss.sequence_from <= loss.sequence_upto) {
    lost += fmt::format("{}events {} to {}", lost.empty() ? "" : " and ", loss.sequence_from, loss.sequence_upto);
  }
  if (lost.empty()) lost = fmt::format("the reservations of incarnation {:08x}", value(loss.incarnation));
  return fmt::format("the store has lost part of its past: {} of sale {}, which {} remember", lost, loss.sale_id,
                     loss.witness);
}

std::string text_of_losses(std::size_t count) {
  return fmt::format("the store has lost part of its past in {} {}; see GET /v1/losses and firstcome audit --settle",
                     count, count == 1 ? "place" : "places");
}

std::optional<Loss> find_lost_sale(const Memory& memory, std::span<const Loss> known) {
  if (is_noted(memory, known)) return std::nullopt;
  return loss_above(memory, {});
}

}  // namespace firstcome::engine
