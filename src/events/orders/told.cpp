#include "events/orders/told.hpp"

#include "engine/sql/sql_rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <tuple>

namespace firstcome::events {
namespace {

using engine::SqlColumn;
constexpr std::array columns{
    SqlColumn{SqlColumn::Type::text, "sale"},          SqlColumn{SqlColumn::Type::number, "handle"},
    SqlColumn{SqlColumn::Type::number, "incarnation"}, SqlColumn{SqlColumn::Type::text, "reservation"},
    SqlColumn{SqlColumn::Type::number, "number"},      SqlColumn{SqlColumn::Type::number, "sequence"}};

struct Stream {
  SaleHandle handle{};
  Incarnation incarnation{};
};

template <class Number>
bool read_number(std::string_view text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// Of an event's id, `HANDLE-SEQUENCE` or `HANDLE-INCARNATION-SEQUENCE`. Nothing: it is not a store's own.
std::optional<Stream> stream_of(std::string_view id) {
  const std::size_t first = id.find('-');
  const std::size_t last = id.rfind('-');
  if (first == id.npos) return std::nullopt;
  std::uint64_t handle = 0;
  std::uint32_t incarnation = 0;
  if (!read_number(id.substr(0, first), handle, 10)) return std::nullopt;
  if (first != last && !read_number(id.substr(first + 1, last - first - 1), incarnation, 16)) return std::nullopt;
  return Stream{SaleHandle{handle}, Incarnation{incarnation}};
}

/// Of ids. An event with others was not made by a store, and must not make the statement fail.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

std::vector<Told> told_by(std::span<const Event> events) {
  std::map<std::tuple<std::string_view, SaleHandle, Incarnation>, Told> found;
  Told* told = nullptr;  // of the event before; null: that one tells nothing
  std::string_view last_sale, last_stream;
  for (const Event& event : events) {
    // A sale's events come in runs, so most of them need no look-up.
    const std::string_view stream = std::string_view(event.id).substr(0, event.id.rfind('-'));
    if (told == nullptr || event.sale != last_sale || stream != last_stream) {
      const auto of_id = is_plain(event.sale) ? stream_of(event.id) : std::nullopt;
      told = of_id ? &found[{event.sale, of_id->handle, of_id->incarnation}] : nullptr;
      last_sale = event.sale;
      last_stream = stream;
    }
    if (told == nullptr || !is_plain(event.reservation)) continue;
    told->sequence = std::max(told->sequence, event.sequence);
    if (event.reservation.empty() || value(event.number) <= told->number) continue;
    told->number = value(event.number);
    told->reservation = event.reservation;
  }
  std::erase_if(found, [](const auto& one) { return one.second.sequence == 0; });  // of strange reservations only
  std::vector<Told> all;
  for (auto& [key, one] : found) {
    std::tie(one.sale, one.handle, one.incarnation) = key;
    all.push_back(std::move(one));
  }
  return all;
}

void note_told(SqlSession& session, std::span<const Told> all) {
  if (all.empty()) return;
  engine::SqlRows rows("firstcome_told", columns);
  for (const Told& told : all) {
    rows.text(told.sale).number(value(told.handle)).number(std::uint64_t{value(told.incarnation)});
    rows.text(told.reservation).number(told.number).number(told.sequence);
  }
  session.insert(rows, order_dialect_of(session).told_conflict());
}

std::vector<Told> read_told(SqlSession& session) {
  const auto number_of = [](const std::optional<std::string>& cell) {
    return static_cast<std::uint64_t>(engine::number_in(cell));
  };
  std::vector<Told> all;
  for (const auto& row :
       session.ask("SELECT sale, handle, incarnation, reservation, number, sequence FROM firstcome_told", 6)) {
    all.push_back({.sale = row[0].value_or(""),
                   .handle = SaleHandle{number_of(row[1])},
                   .incarnation = Incarnation{static_cast<std::uint32_t>(number_of(row[2]))},
                   .reservation = row[3].value_or(""),
                   .number = number_of(row[4]),
                   .sequence = number_of(row[5])});
  }
  return all;
}

}  // namespace firstcome::events
