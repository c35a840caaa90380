#include "events/orders/failed_events.hpp"

#include "engine/sql/sql_values.hpp"
#include "net/json_writer.hpp"
#include "net/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::events {

using engine::number_in;
using engine::sql_list;
using engine::sql_text;
using engine::SqlValues;
namespace {

constexpr std::string_view columns =
    "event_id, reservation, sale, sequence, type, body, error, attempts, first_failed_at, last_failed_at, next_try_at,"
    " source, body_form";
constexpr std::size_t column_count = 13;

bool is_text(std::string_view body) { return net::is_utf8(body) && body.find('\0') == body.npos; }

std::string body_from(std::string text, std::string_view form) {
  if (form != "hex") return text;
  std::string body;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto digit = [&](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    body += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  }
  return body;
}

Instant instant_in(const std::optional<std::string>& cell) { return Instant{Milliseconds{number_in(cell)}}; }

FailedEvent event_in(SqlSession::Row row) {
  FailedEvent event;
  event.id = row[0].value_or("");
  event.reservation = row[1].value_or("");
  event.sale = row[2].value_or("");
  event.sequence = static_cast<std::uint64_t>(number_in(row[3]));
  event.type = row[4].value_or("");
  event.body = body_from(row[5].value_or(""), row[12].value_or("text"));
  event.error = row[6].value_or("");
  event.attempts = static_cast<std::uint32_t>(number_in(row[7]));
  event.first_failed_at = instant_in(row[8]);
  event.last_failed_at = instant_in(row[9]);
  event.next_try_at = instant_in(row[10]);
  event.source = row[11].value_or("");
  return event;
}

std::int64_t milliseconds(Instant instant) { return instant.time_since_epoch().count(); }

}  // namespace

Milliseconds pause_after(std::uint32_t attempts) {
  const std::uint32_t doublings = std::min<std::uint32_t>(attempts == 0 ? 0 : attempts - 1, 10);
  return std::min(Milliseconds{1'000} * (1 << doublings), Milliseconds{600'000});
}

StoredBody body_for_storing(std::string_view body) {
  body = body.substr(0, failed_body_bytes);
  // What was cut off may have been the rest of a character.
  for (std::size_t cut = 0; cut < 4 && cut <= body.size() && body.size() == failed_body_bytes; ++cut) {
    if (is_text(body.substr(0, body.size() - cut))) return {"text", std::string(body.substr(0, body.size() - cut))};
  }
  if (is_text(body)) return {"text", std::string(body)};
  std::string hex;
  for (const char c : body) fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
  return {"hex", std::move(hex)};
}

std::string error_for_storing(std::string_view error) {
  std::string out;
  while (!error.empty() && out.size() < 996) {
    const std::size_t length = net::utf8_character(error);
    const bool printable = length > 1 || (length == 1 && static_cast<unsigned char>(error.front()) >= 0x20);
    if (printable) {
      out += error.substr(0, length);
    } else {
      out += error.front() == '\n' ? ' ' : '?';
    }
    error.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string id_for_storing(std::string_view id, std::size_t most) {
  const auto fits = [](char c) { return c > ' ' && c <= '~'; };
  if (id.size() <= most && std::ranges::all_of(id, fits)) return std::string(id);
  std::uint64_t hash = 14'695'981'039'346'656'037U;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  std::string out(id.substr(0, most - 17));
  std::ranges::replace_if(out, [&](char c) { return !fits(c); }, '?');
  return fmt::format("{}~{:016x}", out, hash);
}

std::string FailedEvents::literal(std::string_view text) const { return sql_text(text, session_.dialect()); }

std::string FailedEvents::named(const FailedEvent& event) const {
  return fmt::format("event_id = {} AND reservation = {}", literal(event.id), literal(event.reservation));
}

std::string FailedEvents::line_of(const FailedEvent& event) const {
  return event.reservation.empty() ? named(event) : "reservation = " + literal(event.reservation);
}

std::vector<FailedEvent> FailedEvents::select(const std::string& where) {
  std::vector<FailedEvent> events;
  for (auto& row : session_.ask(fmt::format("SELECT {} FROM failed_events WHERE {}", columns, where), column_count)) {
    events.push_back(event_in(std::move(row)));
  }
  return events;
}

std::set<std::string, std::less<>> FailedEvents::blocked(std::span<const OrderUnit> units) {
  std::set<std::string, std::less<>> found;
  if (session_.ask("SELECT attempts FROM failed_events WHERE reservation <> '' LIMIT 1", 1).empty()) return found;
  for (auto rest = units; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), rows_));
    std::vector<std::string_view> names;
    for (const OrderUnit& unit : some) {
      if (unit.reservation.find('\0') == std::string_view::npos) names.push_back(unit.reservation);
    }
    rest = rest.subspan(some.size());
    if (names.empty()) continue;
    const std::string sql = "SELECT DISTINCT reservation FROM failed_events WHERE reservation IN ";
    for (auto& row : session_.ask(sql + sql_list(names, session_.dialect()), 1)) found.insert(row[0].value_or(""));
  }
  return found;
}

FailedEvents::Kept FailedEvents::add(const FailedEvent& event) {
  if (session_.ask_number("SELECT COUNT(*) FROM discarded_events WHERE " + named(event)) != 0) return Kept::discarded;
  const StoredBody body = body_for_storing(event.body);
  std::string sql = fmt::format("INSERT INTO failed_events ({}) VALUES ", columns);
  SqlValues values(sql, session_.dialect());
  values.begin_row();
  values.text(event.id).text(event.reservation).text(event.sale).number(event.sequence).text(event.type);
  values.text(body.text).text(error_for_storing(event.error)).number(std::int64_t{event.attempts});
  values.instant(event.first_failed_at).instant(event.last_failed_at).instant(event.next_try_at);
  values.text(event.source).text(body.form);
  values.end_row();
  sql += order_dialect_of(session_).keep_existing();
  session_.run(sql);
  return Kept::now;
}

std::vector<FailedEvent> FailedEvents::due(Instant now, std::size_t limit) {
  std::vector<FailedEvent> due =
      select(fmt::format("next_try_at <= {} ORDER BY next_try_at, event_id LIMIT {}{}", milliseconds(now), limit,
                         order_dialect_of(session_).skip_locked()));
  std::vector<std::string> reservations;
  std::erase_if(due, [&](const FailedEvent& event) {
    if (!event.reservation.empty()) reservations.push_back(event.reservation);
    return !event.reservation.empty();
  });
  if (reservations.empty()) return due;
  const std::string list = sql_list(reservations, session_.dialect());
  for (FailedEvent& event : select(fmt::format("reservation IN {} ORDER BY reservation, sequence, event_id{}", list,
                                               order_dialect_of(session_).skip_locked()))) {
    due.push_back(std::move(event));
  }
  return due;
}

void FailedEvents::remove(const std::vector<const FailedEvent*>& events) {
  for (std::span rest(events); !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), rows_));
    std::string sql = "DELETE FROM failed_events WHERE ";
    for (std::size_t i = 0; i < some.size(); ++i) sql += (i == 0 ? "(" : " OR (") + named(*some[i]) + ")";
    session_.run(sql);
    rest = rest.subspan(some.size());
  }
}

void FailedEvents::fail_again(const FailedEvent& event, const std::string& error, Instant now) {
  session_.run(fmt::format("UPDATE failed_events SET attempts = {}, error = {}, last_failed_at = {} WHERE {}",
                           event.attempts + 1, literal(error_for_storing(error)), milliseconds(now), named(event)));
  session_.run(fmt::format("UPDATE failed_events SET next_try_at = {} WHERE {}",
                           milliseconds(now + pause_after(event.attempts + 1)), line_of(event)));
}

std::uint64_t FailedEvents::count() { return session_.ask_number("SELECT COUNT(*) FROM failed_events"); }

std::uint64_t FailedEvents::due_count(Instant now) {
  return session_.ask_number(
      fmt::format("SELECT COUNT(*) FROM failed_events WHERE next_try_at <= {}", milliseconds(now)));
}

std::size_t FailedEvents::erase(const std::string& customer, const std::string& pseudonym) {
  return erase_in("failed_events", customer, pseudonym) + erase_in("discarded_events", customer, pseudonym);
}

namespace {

/// The body without the customer; nothing: it does not tell of that one.
std::optional<std::string> body_without(const std::string& body, const std::string& customer,
                                        const std::string& pseudonym) {
  if (auto event = event_from_json(body)) {
    if (event->customer != customer) return std::nullopt;
    event->customer = pseudonym;
    if (event->payment) event->payment->account_number.clear();
    return to_json(*event);
  }
  // What cannot be read may still name them.
  std::string named;
  net::JsonWriter(named).string(customer);
  std::string replacement;
  net::JsonWriter(replacement).string(pseudonym);
  std::string text = body;
  bool found = false;
  for (auto at = text.find(named); at != std::string::npos; at = text.find(named, at + replacement.size())) {
    text.replace(at, named.size(), replacement);
    found = true;
  }
  return found ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace

/// All rows are read, in pages: what they tell of a customer stands in their bodies only.
std::size_t FailedEvents::erase_in(std::string_view table, const std::string& customer, const std::string& pseudonym) {
  constexpr std::size_t page_rows = 1'000;
  std::size_t count = 0;
  std::string where = "1 = 1";
  for (;;) {
    const auto rows = session_.ask(fmt::format("SELECT event_id, reservation, body, body_form FROM {} WHERE {}"
                                               " ORDER BY event_id, reservation LIMIT {}",
                                               table, where, page_rows),
                                   4);
    for (const auto& row : rows) {
      const auto body = body_without(body_from(row[2].value_or(""), row[3].value_or("text")), customer, pseudonym);
      if (!body) continue;
      const StoredBody stored = body_for_storing(*body);
      // A database may have said in its error which row it refused.
      session_.run(
          fmt::format("UPDATE {} SET body = {}, body_form = {}, error = 'its customer was erased'"
                      " WHERE event_id = {} AND reservation = {}",
                      table, literal(stored.text), literal(stored.form), literal(row[0].value_or("")),
                      literal(row[1].value_or(""))));
      ++count;
    }
    if (rows.size() < page_rows) return count;
    const std::string id = literal(rows.back()[0].value_or(""));
    where = fmt::format("event_id >= {} AND (event_id > {} OR reservation > {})", id, id,
                        literal(rows.back()[1].value_or("")));
  }
}

std::vector<FailedEvent> FailedEvents::page(const std::string& after, std::size_t limit) {
  // The cursor is `event id + space + reservation`, the two of which are the key.
  const std::size_t space = after.rfind(' ');
  const std::string id = literal(after.substr(0, space));
  const std::string reservation = literal(space == std::string::npos ? "" : after.substr(space + 1));
  return select(
      fmt::format("event_id >= {} AND (event_id > {} OR reservation > {}) ORDER BY event_id, reservation LIMIT {}", id,
                  id, reservation, limit));
}

std::uint64_t FailedEvents::retry_now(const std::optional<std::string>& id, Instant now) {
  const std::vector<FailedEvent> chosen = id ? select("event_id = " + literal(*id)) : std::vector<FailedEvent>{};
  if (!id) {
    session_.run(fmt::format("UPDATE failed_events SET next_try_at = {}", milliseconds(now)));
    return count();
  }
  for (const FailedEvent& event : chosen) {
    session_.run(fmt::format("UPDATE failed_events SET next_try_at = {} WHERE {}", milliseconds(now), line_of(event)));
  }
  return chosen.size();
}

std::uint64_t FailedEvents::discard(const std::string& id, const Discard& why, Instant now) {
  const std::vector<FailedEvent> chosen = select("event_id = " + literal(id));
  for (const FailedEvent& event : chosen) {
    session_.run(fmt::format(
        "INSERT INTO discarded_events (event_id, reservation, sale, sequence, type, body, body_form,"
        " error, attempts, first_failed_at, source, reason, discarded_by, discarded_at)"
        " SELECT event_id, reservation, sale, sequence, type, body, body_form, error, attempts,"
        " first_failed_at, source, {}, {}, {} FROM failed_events WHERE {}",
        literal(error_for_storing(why.reason)), literal(error_for_storing(why.by)), milliseconds(now), named(event)));
    session_.run("DELETE FROM failed_events WHERE " + named(event));
    if (event.reservation.empty()) continue;
    session_.run(fmt::format("UPDATE failed_events SET next_try_at = {} WHERE {}", milliseconds(now), line_of(event)));
  }
  return chosen.size();
}

}  // namespace firstcome::events
