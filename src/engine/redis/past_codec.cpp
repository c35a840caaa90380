#include "engine/redis/past_codec.hpp"

#include "engine/redis/binary.hpp"

namespace firstcome::engine {
namespace {

Incarnation read_incarnation(BinaryReader& reader) { return Incarnation{static_cast<std::uint32_t>(reader.number(4))}; }

Instant read_instant(BinaryReader& reader) {
  return Instant{Milliseconds{static_cast<std::int64_t>(reader.number(6))}};
}

std::uint64_t count_of(Instant instant) { return static_cast<std::uint64_t>(instant.time_since_epoch().count()); }

}  // namespace

std::optional<ReachedAt> read_reached(std::string_view counters) {
  BinaryReader reader(counters);
  ReachedAt reached;
  reached.now = read_instant(reader);
  reader.take(16);  // the stock and its parts
  reached.number = reader.number(4);
  reader.take(22);  // the line, refusals, the tick
  reached.sequence = reached.sequence_delivered = reader.number(6);
  if (!reader.ok()) return std::nullopt;
  return reached;
}

std::optional<std::vector<Era>> read_eras(std::string_view text, SaleHandle sale) {
  BinaryReader reader(text);
  std::vector<Era> eras;
  while (reader.ok() && !reader.at_end()) {
    Era era{.sale = sale};
    era.after_number = reader.number(6);
    era.after_sequence = reader.number(6);
    era.incarnation = read_incarnation(reader);
    era.added_to_number = reader.number(6);
    era.added_to_sequence = reader.number(6);
    eras.push_back(era);
  }
  if (!reader.ok()) return std::nullopt;
  return eras;
}

std::string pack_era(const Era& era) {
  BinaryWriter writer;
  writer.number(era.after_number, 6).number(era.after_sequence, 6).number(value(era.incarnation), 4);
  writer.number(era.added_to_number, 6).number(era.added_to_sequence, 6);
  return writer.take();
}

std::optional<std::vector<Loss>> read_losses(std::string_view text, const Loss& of_sale) {
  BinaryReader reader(text);
  std::vector<Loss> losses;
  while (reader.ok() && !reader.at_end()) {
    Loss loss = of_sale;
    loss.incarnation = read_incarnation(reader);
    for (std::uint64_t* const mark : {&loss.number_from, &loss.number_upto, &loss.sequence_from, &loss.sequence_upto}) {
      *mark = reader.number(6);
    }
    loss.witness = reader.text(2);
    loss.found_at = read_instant(reader);
    if (reader.number(1) != 0) {
      Loss::Settled settled;
      settled.at = read_instant(reader);
      settled.by = reader.text(2);
      settled.reason = reader.text(2);
      loss.settled = std::move(settled);
    }
    losses.push_back(std::move(loss));
  }
  if (!reader.ok()) return std::nullopt;
  return losses;
}

std::string pack_losses(const std::vector<Loss>& losses) {
  BinaryWriter writer;
  for (const Loss& loss : losses) {
    writer.number(value(loss.incarnation), 4);
    for (const std::uint64_t mark : {loss.number_from, loss.number_upto, loss.sequence_from, loss.sequence_upto}) {
      writer.number(mark, 6);
    }
    writer.text(loss.witness).number(count_of(loss.found_at), 6).number(loss.settled ? 1 : 0, 1);
    if (!loss.settled) continue;
    writer.number(count_of(loss.settled->at), 6).text(loss.settled->by).text(loss.settled->reason);
  }
  return writer.take();
}

}  // namespace firstcome::engine
