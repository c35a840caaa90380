#include "engine/embedded/rows.hpp"

#include "engine/embedded/row_crc.hpp"

#include <algorithm>
#include <cstring>

namespace firstcome::engine {
namespace {

using sqlite::Statement;

std::int64_t ms(Instant instant) { return instant.time_since_epoch().count(); }
Instant instant_of(std::int64_t milliseconds) { return Instant{Milliseconds{milliseconds}}; }

/// NULL for the usual value, so that rows stay short.
void bind_unless(Statement& statement, int at, std::int64_t number, std::int64_t usual) {
  if (number == usual) {
    statement.bind_null(at);
  } else {
    statement.bind(at, number);
  }
}
void bind_unless_empty(Statement& statement, int at, std::string_view text) {
  if (text.empty()) {
    statement.bind_null(at);
  } else {
    statement.bind(at, text);
  }
}
template <class T>
void bind_optional(Statement& statement, int at, const std::optional<T>& number) {
  if (number) {
    statement.bind(at, static_cast<std::int64_t>(*number));
  } else {
    statement.bind_null(at);
  }
}
void bind_optional(Statement& statement, int at, const std::optional<Instant>& instant) {
  bind_optional(statement, at, instant ? std::optional(ms(*instant)) : std::nullopt);
}

std::optional<std::int64_t> optional_integer(const Statement& statement, int at) {
  if (statement.is_null(at)) return std::nullopt;
  return statement.integer(at);
}
std::optional<Instant> optional_instant(const Statement& statement, int at) {
  if (statement.is_null(at)) return std::nullopt;
  return instant_of(statement.integer(at));
}

RowSum& operator<<(RowSum& sum, const std::optional<std::int64_t>& number) {
  return sum << std::uint64_t{number.has_value()} << number.value_or(0);
}
RowSum& operator<<(RowSum& sum, const std::optional<Instant>& instant) {
  return sum << (instant ? std::optional(ms(*instant)) : std::nullopt);
}

constexpr std::uint64_t settled_mark = 0x5E77'1ED0;

/// What a row of schema 3 does not have: nothing where it has its usual value, so that the sum of such a row stays.
void add_later_members(RowSum& sum, const sale::SaleRecord& record) {
  if (record.paused || record.revision != 0) sum << std::uint64_t{record.paused} << record.revision;
  if (record.terms.extend != Milliseconds{0}) sum << record.terms.extend.count();
  if (record.settled) sum << settled_mark;
  if (!record.opening_as_created) return;
  const sale::OpeningTerms& opening = *record.opening_as_created;
  sum << opening.opens_at << opening.limit_per_customer << std::optional<std::int64_t>(opening.max_open);
}

std::int32_t sum_of(const SaleRow& row) {
  const sale::SaleRecord& record = row.record;
  const SaleTerms& terms = record.terms;
  RowSum sum;
  sum << value(record.handle) << std::string_view(terms.id) << std::string_view(terms.name)
      << static_cast<std::uint64_t>(terms.kind) << terms.stock << terms.unit_price << std::string_view(terms.currency)
      << terms.limit_per_customer << std::optional<std::int64_t>(terms.max_open) << terms.hold.count() << terms.opens_at
      << terms.closes_at;
  if (terms.queue) sum << std::uint64_t{terms.queue->admit_per_tick} << terms.queue->tick.count();
  sum << static_cast<std::uint64_t>(terms.standby) << static_cast<std::uint64_t>(terms.payment) << ms(record.created_at)
      << std::uint64_t{record.closed} << (record.closed ? ms(record.closed_at) : 0) << record.available << record.held
      << record.sold << record.last_number << record.serving << record.sold_out_upto << record.closed_upto
      << record.last_tick << record.events << record.stock_as_created
      << std::uint64_t{record.closes_at_as_created.has_value()} << record.closes_at_as_created.value_or(std::nullopt)
      << ms(row.now) << static_cast<std::uint64_t>(row.life);
  add_later_members(sum, record);
  return sum.stored();
}

std::int32_t sum_of(const sale::ReservationRecord& record) {
  RowSum sum;
  sum << row_id(record.ref) << record.quantity
      << (static_cast<std::uint64_t>(record.state) << 16 | static_cast<std::uint64_t>(record.reason) << 8 |
          static_cast<std::uint64_t>(record.refund))
      << ms(record.created_at) << ms(record.expires_at) << ms(record.claimed_at) << record.position << record.previous
      << record.key.high << record.key.low << std::string_view(record.customer) << std::string_view(record.reference)
      << std::string_view(record.payment_id) << std::string_view(record.account_number);
  // A row of schema 3 has neither.
  if (record.extended || record.returned != 0) sum << std::uint64_t{record.extended} << record.returned;
  return sum.stored();
}

std::int32_t sum_of(std::uint64_t sequence, const sale::EventRecord& event) {
  RowSum sum;
  sum << sequence << value(event.sale) << event.sale_sequence << static_cast<std::uint64_t>(event.type)
      << value(event.number) << ms(event.at) << event.value;
  return sum.stored();
}

std::int32_t sum_of(const lock::BookedGrant& grant) {
  RowSum sum;
  sum << std::string_view(grant.name) << std::string_view(grant.lease) << grant.token << ms(grant.until)
      << grant.length.count();
  return sum.stored();
}

std::int32_t sum_of(const StoreMeta& meta) {
  RowSum sum;
  sum << std::string_view(reinterpret_cast<const char*>(meta.store_id.data()), meta.store_id.size())
      << std::string_view(reinterpret_cast<const char*>(meta.secret.data()), meta.secret.size()) << ms(meta.created_at)
      << ms(meta.now);
  return sum.stored();
}

RowCheck check_sum(std::int64_t stored, std::int32_t computed) {
  return stored == computed ? RowCheck::good : RowCheck::damaged;
}

template <class Array>
bool read_bytes(std::string_view blob, Array& bytes) {
  if (blob.size() != bytes.size()) return false;
  std::memcpy(bytes.data(), blob.data(), blob.size());
  return true;
}

}  // namespace

sqlite::Result<void> write_meta(sqlite::Connection& connection, const StoreMeta& meta) {
  auto statement = connection.prepare("REPLACE INTO meta VALUES(1,?,?,?,?,?)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind_blob(1, meta.store_id.data(), meta.store_id.size());
  statement->bind_blob(2, meta.secret.data(), meta.secret.size());
  statement->bind(3, ms(meta.created_at));
  statement->bind(4, ms(meta.now));
  statement->bind(5, std::int64_t{sum_of(meta)});
  return statement->run();
}

sqlite::Result<StoreMeta> read_meta(sqlite::Connection& connection) {
  auto statement = connection.prepare("SELECT store_id, secret, created_at, now, crc FROM meta");
  if (!statement) return std::unexpected(std::move(statement.error()));
  const int code = statement->step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return std::unexpected(statement->error());
  StoreMeta meta;
  if (code == SQLITE_DONE || !read_bytes(statement->blob(0), meta.store_id) ||
      !read_bytes(statement->blob(1), meta.secret))
    return std::unexpected(sqlite::Error{SQLITE_CORRUPT, "the table meta does not hold its one row"});
  meta.created_at = instant_of(statement->integer(2));
  meta.now = instant_of(statement->integer(3));
  if (statement->integer(4) != sum_of(meta))
    return std::unexpected(sqlite::Error{SQLITE_CORRUPT, "the row of the table meta has a wrong checksum"});
  return meta;
}

void bind_sale(Statement& statement, const SaleRow& row) {
  const sale::SaleRecord& record = row.record;
  const SaleTerms& terms = record.terms;
  int at = 0;
  statement.bind(++at, value(record.handle));
  statement.bind(++at, terms.id);
  statement.bind(++at, terms.name);
  statement.bind(++at, static_cast<std::int64_t>(terms.kind));
  statement.bind(++at, terms.stock);
  statement.bind(++at, terms.unit_price);
  statement.bind(++at, terms.currency);
  bind_optional(statement, ++at, terms.limit_per_customer);
  bind_optional(statement, ++at, terms.max_open);
  statement.bind(++at, terms.hold.count());
  bind_optional(statement, ++at, terms.opens_at);
  bind_optional(statement, ++at, terms.closes_at);
  bind_optional(statement, ++at, terms.queue ? std::optional(terms.queue->admit_per_tick) : std::nullopt);
  bind_optional(statement, ++at, terms.queue ? std::optional(terms.queue->tick.count()) : std::nullopt);
  statement.bind(++at, static_cast<std::int64_t>(terms.standby));
  statement.bind(++at, static_cast<std::int64_t>(terms.payment));
  statement.bind(++at, ms(record.created_at));
  bind_optional(statement, ++at, record.closed ? std::optional(record.closed_at) : std::nullopt);
  for (const Units units : {record.available, record.held, record.sold}) statement.bind(++at, units);
  for (const std::uint64_t count :
       {record.last_number, record.serving, record.sold_out_upto, record.closed_upto, record.last_tick, record.events})
    statement.bind(++at, count);
  bind_optional(statement, ++at, record.stock_as_created);
  bind_unless(statement, ++at, record.closes_at_as_created ? 1 : 0, 0);
  bind_optional(statement, ++at, record.closes_at_as_created.value_or(std::nullopt));
  statement.bind(++at, ms(row.now));
  bind_unless(statement, ++at, static_cast<std::int64_t>(row.life), 0);
  statement.bind(++at, std::int64_t{sum_of(row)});
  bind_unless(statement, ++at, record.paused ? 1 : 0, 0);
  bind_unless(statement, ++at, static_cast<std::int64_t>(record.revision), 0);
  bind_unless(statement, ++at, record.opening_as_created ? 1 : 0, 0);
  const sale::OpeningTerms opening = record.opening_as_created.value_or(sale::OpeningTerms{});
  bind_optional(statement, ++at, opening.opens_at);
  bind_optional(statement, ++at, opening.limit_per_customer);
  bind_optional(statement, ++at, opening.max_open);
  bind_unless(statement, ++at, terms.extend.count(), 0);
  bind_unless(statement, ++at, record.settled ? 1 : 0, 0);
}

namespace {

std::optional<std::uint32_t> optional_count(const Statement& statement, int at) {
  const auto count = optional_integer(statement, at);
  return count ? std::optional(static_cast<std::uint32_t>(*count)) : std::nullopt;
}

/// The columns behind `at`; a table of schema 3 has none, one of schema 5 not the last.
void read_later_columns(const Statement& statement, int at, sale::SaleRecord& record) {
  record.paused = false;
  record.revision = 0;
  record.opening_as_created.reset();
  record.terms.extend = Milliseconds{0};
  record.settled = false;
  if (statement.columns() <= at + 1) return;
  record.paused = statement.integer(++at) != 0;
  record.revision = statement.natural(++at);
  const bool opening_changed = statement.integer(++at) != 0;
  sale::OpeningTerms opening;
  opening.opens_at = optional_instant(statement, ++at);
  opening.limit_per_customer = optional_integer(statement, ++at);
  opening.max_open = optional_count(statement, ++at);
  if (opening_changed) record.opening_as_created = opening;
  record.terms.extend = Milliseconds{statement.integer(++at)};
  if (statement.columns() > at + 1) record.settled = statement.integer(++at) != 0;
}

}  // namespace

RowCheck read_sale(const Statement& statement, SaleRow& row) {
  sale::SaleRecord& record = row.record;
  SaleTerms& terms = record.terms;
  int at = -1;
  record.handle = SaleHandle{statement.natural(++at)};
  terms.id = statement.text(++at);
  terms.name = statement.text(++at);
  terms.kind = static_cast<SaleKind>(statement.integer(++at));
  terms.stock = statement.integer(++at);
  terms.unit_price = statement.integer(++at);
  terms.currency = statement.text(++at);
  terms.limit_per_customer = optional_integer(statement, ++at);
  terms.max_open = optional_count(statement, ++at);
  terms.hold = Milliseconds{statement.integer(++at)};
  terms.opens_at = optional_instant(statement, ++at);
  terms.closes_at = optional_instant(statement, ++at);
  const auto admit = optional_integer(statement, ++at);
  const auto tick = optional_integer(statement, ++at);
  terms.queue.reset();
  if (admit && tick) terms.queue = QueueTerms{static_cast<std::uint32_t>(*admit), Milliseconds{*tick}};
  terms.standby = static_cast<Standby>(statement.integer(++at));
  terms.payment = static_cast<PaymentMode>(statement.integer(++at));
  record.created_at = instant_of(statement.integer(++at));
  const auto closed_at = optional_instant(statement, ++at);
  record.closed = closed_at.has_value();
  record.closed_at = closed_at.value_or(Instant{});
  for (Units* units : {&record.available, &record.held, &record.sold}) *units = statement.integer(++at);
  for (std::uint64_t* count : {&record.last_number, &record.serving, &record.sold_out_upto, &record.closed_upto,
                               &record.last_tick, &record.events})
    *count = statement.natural(++at);
  record.stock_as_created = optional_integer(statement, ++at);
  const bool closes_at_changed = statement.integer(++at) != 0;
  const auto closes_at_as_created = optional_instant(statement, ++at);
  record.closes_at_as_created.reset();  // an optional of an optional: what was never changed is not a null
  if (closes_at_changed) record.closes_at_as_created.emplace(closes_at_as_created);
  row.now = instant_of(statement.integer(++at));
  row.life = static_cast<SaleRow::Life>(statement.integer(++at));
  const int sum_at = ++at;
  read_later_columns(statement, sum_at, record);
  return check_sum(statement.integer(sum_at), sum_of(row));
}

void bind_reservation(Statement& statement, const sale::ReservationRecord& record) {
  statement.bind(1, row_id(record.ref));
  statement.bind(2, record.customer);
  bind_unless(statement, 3, record.quantity, 1);
  statement.bind(4, static_cast<std::int64_t>(record.state));
  bind_unless(statement, 5, static_cast<std::int64_t>(record.reason), 0);
  bind_unless(statement, 6, static_cast<std::int64_t>(record.refund), 0);
  statement.bind(7, ms(record.created_at));
  bind_unless(statement, 8, ms(record.expires_at), 0);
  bind_unless(statement, 9, ms(record.claimed_at), 0);
  bind_unless(statement, 10, static_cast<std::int64_t>(record.position), 0);
  bind_unless(statement, 11, static_cast<std::int64_t>(record.previous), 0);
  if (record.key) {
    static_assert(sizeof(KeyHash) == 16);
    statement.bind_blob(12, &record.key, sizeof record.key);
  } else {
    statement.bind_null(12);
  }
  bind_unless_empty(statement, 13, record.reference);
  bind_unless_empty(statement, 14, record.payment_id);
  bind_unless_empty(statement, 15, record.account_number);
  statement.bind(16, std::int64_t{sum_of(record)});
  bind_unless(statement, 17, record.extended ? 1 : 0, 0);
  bind_unless(statement, 18, record.returned, 0);
}

RowCheck read_reservation(const Statement& statement, sale::ReservationRecord& record) {
  record.ref = ref_of_row(statement.integer(0));
  record.customer = statement.text(1);
  record.quantity = statement.is_null(2) ? 1 : statement.integer(2);
  record.state = static_cast<ReservationState>(statement.integer(3));
  record.reason = static_cast<Reason>(statement.integer(4));
  record.refund = static_cast<sale::Refund>(statement.integer(5));
  record.created_at = instant_of(statement.integer(6));
  record.expires_at = instant_of(statement.integer(7));
  record.claimed_at = instant_of(statement.integer(8));
  record.position = statement.natural(9);
  record.previous = statement.natural(10);
  record.key = {};
  const std::string_view key = statement.blob(11);
  if (key.size() == sizeof record.key) std::memcpy(&record.key, key.data(), key.size());
  record.reference = statement.text(12);
  record.payment_id = statement.text(13);
  record.account_number = statement.text(14);
  const bool has_all_columns = statement.columns() > 16;
  record.extended = has_all_columns && statement.integer(16) != 0;
  record.returned = has_all_columns ? statement.integer(17) : 0;
  return check_sum(statement.integer(15), sum_of(record));
}

void bind_event(Statement& statement, std::uint64_t sequence, const sale::EventRecord& event) {
  statement.bind(1, sequence);
  statement.bind(2, value(event.sale));
  statement.bind(3, event.sale_sequence);
  statement.bind(4, static_cast<std::int64_t>(event.type));
  bind_unless(statement, 5, static_cast<std::int64_t>(value(event.number)), 0);
  statement.bind(6, ms(event.at));
  bind_optional(statement, 7, event.value);
  statement.bind(8, std::int64_t{sum_of(sequence, event)});
}

RowCheck read_event(const Statement& statement, std::uint64_t& sequence, sale::EventRecord& event) {
  sequence = statement.natural(0);
  event.sale = SaleHandle{statement.natural(1)};
  event.sale_sequence = statement.natural(2);
  event.type = static_cast<EventType>(statement.integer(3));
  event.number = Number{statement.natural(4)};
  event.at = instant_of(statement.integer(5));
  event.value = optional_integer(statement, 6);
  return check_sum(statement.integer(7), sum_of(sequence, event));
}

void bind_delivery(Statement& statement, std::uint64_t upto) {
  statement.bind(1, upto);
  statement.bind(2, std::int64_t{(RowSum() << upto).stored()});
}

RowCheck read_delivery(const Statement& statement, std::uint64_t& upto) {
  upto = statement.natural(0);
  return check_sum(statement.integer(1), (RowSum() << upto).stored());
}

void bind_lock(Statement& statement, const lock::BookedGrant& grant) {
  statement.bind(1, std::string_view(grant.name));
  statement.bind(2, std::string_view(grant.lease));
  statement.bind(3, grant.token);
  statement.bind(4, ms(grant.until));
  statement.bind(5, grant.length.count());
  statement.bind(6, std::int64_t{sum_of(grant)});
}

RowCheck read_lock(const Statement& statement, lock::BookedGrant& grant) {
  grant.name = statement.text(0);
  grant.lease = statement.text(1);
  grant.token = statement.natural(2);
  grant.until = instant_of(statement.integer(3));
  grant.length = Milliseconds{statement.integer(4)};
  return check_sum(statement.integer(5), sum_of(grant));
}

}  // namespace firstcome::engine
