#include "engine/redis/outbox_codec.hpp"

#include "engine/redis/binary.hpp"
#include "engine/redis/sale_scripts.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::size_t events_at = 48;  // in the counters, as meta_layout of sale_state.lua has them

/// Of what a page's events tell: by number.
using Records = std::unordered_map<std::uint64_t, sale::ReservationRecord>;

/// `fields` are "rNUMBER", `texts` the records.
std::optional<Records> read_records(const net::RedisReply& fields, const net::RedisReply& texts, SaleHandle handle) {
  Records records;
  if (fields.elements.size() != texts.elements.size()) return std::nullopt;
  for (std::size_t i = 0; i < fields.elements.size(); ++i) {
    const std::string& field = fields.at(i).text;
    std::uint64_t number = 0;
    if (field.empty()) return std::nullopt;
    const auto [end, error] = std::from_chars(field.data() + 1, field.data() + field.size(), number);
    if (error != std::errc{} || end != field.data() + field.size()) return std::nullopt;
    auto record = read_record(texts.at(i).text, {handle, Number{number}});
    if (!record) return std::nullopt;
    records.emplace(number, std::move(*record));
  }
  return records;
}

bool is_of_a_reservation(EventType type) { return type >= EventType::reservation_queued; }

/// What the reservation says of it. False: there is no such reservation.
bool join(EventView& event, const Records& records, const KnownSale& sale) {
  if (!is_of_a_reservation(event.type)) return true;
  const auto found = records.find(value(event.ref.number));
  if (found == records.end()) return false;
  const sale::ReservationRecord& record = found->second;
  event.customer = record.customer;
  event.reference = record.reference;
  event.quantity = quantity_at(event.type, event.value, record.quantity, record.returned);
  event.amount = sale.terms.unit_price * static_cast<Money>(event.quantity);
  event.charged = sale.terms.unit_price * static_cast<Money>(record.quantity + record.returned);
  if (!record.payment_id.empty() || !record.account_number.empty()) {
    event.payment = Payment{.id = record.payment_id, .account_number = record.account_number};
  }
  return true;
}

struct Range {
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
};

/// Adds those of an entry that lie in the range. False: that is no entry.
bool read_entry(std::string_view text, Range range, const Records& records, const KnownSale& sale,
                std::vector<EventView>& items) {
  BinaryReader reader(text);
  const Instant at{Milliseconds{static_cast<std::int64_t>(reader.number(6))}};
  const std::uint64_t first = reader.number(6);
  const std::uint64_t count = reader.number(4);
  for (std::uint64_t sequence = first; sequence < first + count && sequence <= range.upto; ++sequence) {
    EventView event;
    event.sequence = event.sale_sequence = sequence;
    event.type = static_cast<EventType>(reader.number(1));
    event.ref = {sale.handle, Number{reader.number(4)}};
    if (has_value(event.type)) event.value = static_cast<Units>(reader.number(6));
    if (!reader.ok()) return false;
    if (sequence <= range.after) continue;
    event.sale_id = sale.terms.id;
    event.currency = sale.terms.currency;
    event.at = at;
    if (!join(event, records, sale)) return false;
    items.push_back(std::move(event));
  }
  return true;
}

}  // namespace

std::optional<SaleOutboxMarks> read_marks(std::string_view counters, std::string_view watermark) {
  BinaryReader reader(counters);
  reader.take(events_at);
  SaleOutboxMarks marks;
  marks.events = reader.number(6);
  if (!reader.ok()) return std::nullopt;
  marks.delivered = BinaryReader(watermark).number(6);
  return marks;
}

net::RedisCommand read_command(const SaleKeys& keys, std::string_view store, std::optional<std::uint64_t> after,
                               std::uint32_t limit) {
  net::RedisCommand command(SaleScripts::standard().outbox, {keys.hash, keys.stream}, store, std::string_view{"read"});
  if (after) {
    command.add(std::min<std::uint64_t>(*after, (std::uint64_t{1} << 48U) - 1));  // there are never so many
  } else {
    command.add(std::string_view{});
  }
  return command.add(std::clamp<std::uint32_t>(limit, 1, outbox_page));
}

Incarnation incarnation_in(const net::RedisReply& reply) {
  return Incarnation{static_cast<std::uint32_t>(BinaryReader(reply.at(0).text).number(4))};
}

std::optional<OutboxPage> read_outbox_page(const net::RedisReply& reply, const KnownSale& sale) {
  BinaryReader head(reply.at(0).text);
  OutboxPage page;
  head.take(4);  // the incarnation
  page.marks.events = head.number(6);
  page.marks.delivered = head.number(6);
  page.oldest = head.number(6);
  const Range range{head.number(6), head.number(6)};
  page.level.sale_id = sale.terms.id;
  page.level.version = page.marks.events;
  page.level.available = static_cast<Units>(head.number(4));
  page.level.held = static_cast<Units>(head.number(4));
  page.level.sold = static_cast<Units>(head.number(4));
  page.level.stock = static_cast<Units>(head.number(4));
  if (!head.ok() || !head.at_end()) return std::nullopt;
  const auto records = read_records(reply.at(2), reply.at(3), sale.handle);
  if (!records) return std::nullopt;
  for (const net::RedisReply& entry : reply.at(1).elements) {
    if (!read_entry(entry.text, range, *records, sale, page.items)) return std::nullopt;
  }
  return page;
}

net::RedisCommand deliver_command(const SaleKeys& keys, std::string_view store, const DeliverEvents& command,
                                  std::uint64_t keep) {
  return {SaleScripts::standard().outbox,
          {keys.hash, keys.stream},
          store,
          std::string_view{"deliver"},
          command.upto,
          command.token,
          keep};
}

std::optional<Delivered> read_delivered(const net::RedisReply& reply) {
  const auto outcome = reply.at(0).to_integer();
  const auto upto = reply.at(1).to_integer();
  const auto events = reply.at(2).to_integer();
  if (!outcome || !upto || !events) return std::nullopt;
  const auto delivered = static_cast<std::uint64_t>(*upto);
  return Delivered{{.outcome = static_cast<Outcome>(*outcome), .upto = delivered},
                   {.events = static_cast<std::uint64_t>(*events), .delivered = delivered}};
}

}  // namespace firstcome::engine
