#include "events/orders/told.hpp"

#include "engine/sql/sql_values.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <tuple>

namespace firstcome::events {
namespace {

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
  for (const Event& event : events) {
    const auto stream = stream_of(event.id);
    if (!stream || !is_plain(event.sale) || !is_plain(event.reservation)) continue;
    Told& told = found[{event.sale, stream->handle, stream->incarnation}];
    told.sequence = std::max(told.sequence, event.sequence);
    if (event.reservation.empty() || value(event.number) <= told.number) continue;
    told.number = value(event.number);
    told.reservation = event.reservation;
  }
  std::vector<Told> all;
  for (auto& [key, told] : found) {
    std::tie(told.sale, told.handle, told.incarnation) = key;
    all.push_back(std::move(told));
  }
  return all;
}

void note_told(SqlSession& session, std::span<const Told> all) {
  if (all.empty()) return;
  std::string sql = "INSERT INTO firstcome_told (sale, handle, incarnation, reservation, number, sequence) VALUES ";
  engine::SqlValues values(sql, session.dialect());
  for (const Told& told : all) {
    values.begin_row();
    values.text(told.sale).number(value(told.handle)).number(std::uint64_t{value(told.incarnation)});
    values.text(told.reservation).number(told.number).number(told.sequence);
    values.end_row();
  }
  sql += order_dialect_of(session).told_conflict();
  session.run(sql);
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
