// The terms of a sale as they are stored, and as scripts need them.
#include "engine/redis/sale_codec.hpp"

#include <algorithm>

namespace firstcome::engine {
namespace {

std::uint64_t unsigned_of(auto value) { return static_cast<std::uint64_t>(value); }
std::int64_t count_of(Instant at) { return at.time_since_epoch().count(); }
Instant instant_of(std::int64_t count) { return Instant{Milliseconds{count}}; }
Units read_units(BinaryReader& reader, std::size_t bytes) { return static_cast<Units>(reader.number(bytes)); }
bool read_flag(BinaryReader& reader) { return reader.number(1) != 0; }

template <class Integer>
void pack_optional(BinaryWriter& writer, const std::optional<Integer>& value) {
  writer.number(value ? 1 : 0, 1).number(value ? unsigned_of(*value) : 0, 8);
}
void pack_optional(BinaryWriter& writer, const std::optional<Instant>& value) {
  writer.number(value ? 1 : 0, 1).signed_number(value ? count_of(*value) : 0);
}

template <class Integer>
std::optional<Integer> read_optional(BinaryReader& reader) {
  const bool has = read_flag(reader);
  const std::uint64_t value = reader.number(8);
  return has ? std::optional(static_cast<Integer>(value)) : std::nullopt;
}
template <>
std::optional<Instant> read_optional<Instant>(BinaryReader& reader) {
  const bool has = read_flag(reader);
  const std::int64_t value = reader.signed_number();
  return has ? std::optional(instant_of(value)) : std::nullopt;
}

}  // namespace

std::string pack_terms(const SaleTerms& terms) {
  BinaryWriter writer;
  writer.number(2, 1).text(terms.id).text(terms.name).number(unsigned_of(terms.kind), 1);
  writer.number(unsigned_of(terms.stock), 8).number(unsigned_of(terms.unit_price), 8).text(terms.currency);
  pack_optional(writer, terms.limit_per_customer);
  pack_optional(writer, terms.max_open);
  writer.number(unsigned_of(terms.hold.count()), 8);
  pack_optional(writer, terms.opens_at);
  pack_optional(writer, terms.closes_at);
  writer.number(terms.queue ? terms.queue->admit_per_tick : 0, 4);
  writer.number(terms.queue ? unsigned_of(terms.queue->tick.count()) : 0, 4);
  writer.number(unsigned_of(terms.standby), 1).number(unsigned_of(terms.payment), 1);
  writer.number(unsigned_of(terms.extend.count()), 4);
  return writer.take();
}

std::optional<SaleTerms> read_terms(std::string_view text) {
  BinaryReader reader(text);
  const std::uint64_t version = reader.number(1);
  bool valid = version == 1 || version == 2;
  SaleTerms terms;
  terms.id = reader.text(2);
  terms.name = reader.text(2);
  terms.kind = read_enum(reader, SaleKind::coupon, valid);
  terms.stock = read_units(reader, 8);
  terms.unit_price = static_cast<Money>(reader.number(8));
  terms.currency = reader.text(2);
  terms.limit_per_customer = read_optional<Units>(reader);
  terms.max_open = read_optional<std::uint32_t>(reader);
  terms.hold = Milliseconds{static_cast<std::int64_t>(reader.number(8))};
  terms.opens_at = read_optional<Instant>(reader);
  terms.closes_at = read_optional<Instant>(reader);
  const auto admit = static_cast<std::uint32_t>(reader.number(4));
  const auto tick = static_cast<std::int64_t>(reader.number(4));
  if (admit > 0) terms.queue = QueueTerms{.admit_per_tick = admit, .tick = Milliseconds{tick}};
  terms.standby = read_enum(reader, Standby::yes, valid);
  terms.payment = read_enum(reader, PaymentMode::automatic, valid);
  if (version == 2) terms.extend = Milliseconds{static_cast<std::int64_t>(reader.number(4))};
  if (!valid || !reader.ok() || !reader.at_end()) return std::nullopt;
  return terms;
}

std::string pack_script_terms(const SaleTerms& terms) {
  BinaryWriter writer;
  writer.number(unsigned_of(terms.hold.count()), 6);
  writer.number(unsigned_of(script_limit(terms.limit_per_customer)), 6);
  writer.number(terms.max_open.value_or(0), 4);
  writer.number(terms.queue ? terms.queue->admit_per_tick : 0, 4);
  writer.number(terms.queue ? unsigned_of(terms.queue->tick.count()) : 0, 4);
  writer.number(terms.standby == Standby::yes ? 1 : 0, 1);
  writer.number(terms.payment == PaymentMode::automatic ? 1 : 0, 1);
  pack_optional(writer, terms.opens_at);
  writer.number(0, 6);
  if (terms.extend > Milliseconds{0}) writer.number(unsigned_of(terms.extend.count()), 4);
  return writer.take();
}

}  // namespace firstcome::engine
