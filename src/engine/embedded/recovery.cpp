#include "engine/embedded/recovery.hpp"

#include "engine/embedded/rows.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace firstcome::engine {
namespace {

using sqlite::Access;
using sqlite::Connection;

template <class T>
using Checked = std::expected<T, Failure>;

std::unexpected<Failure> refuse(const RecoveryOptions& options, std::string why) {
  return std::unexpected(Failure{FailureCode::store_unavailable, fmt::format("{} {}", options.path.string(), why)});
}

std::unexpected<Failure> damaged(const RecoveryOptions& options, std::string what) {
  return refuse(options,
                fmt::format("is damaged: {}. It was left as it is; restore a backup, or give another folder", what));
}

std::unexpected<Failure> refuse(const RecoveryOptions& options, const sqlite::Error& error) {
  switch (error.primary()) {
    case SQLITE_NOTADB:
      return refuse(options, "is not a database. It was left as it is; move it away, or give another folder");
    case SQLITE_CORRUPT:
      return damaged(options, error.text);
    case SQLITE_BUSY:
      return refuse(options, "is locked by another program");
    default:
      return refuse(options, fmt::format("cannot be read: {} (SQLite error {})", error.text, error.code));
  }
}

Checked<Connection> open_to_read(const RecoveryOptions& options) {
  auto connection = Connection::open(options.path, Access::read_only, options.vfs);
  if (!connection) return refuse(options, connection.error());
  if (auto set = connection->execute("PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF;"); !set)
    return refuse(options, set.error());
  return std::move(*connection);
}

Checked<void> check_owner(const RecoveryOptions& options, Connection& connection) {
  const auto owner = connection.integer("PRAGMA application_id");
  if (!owner) return refuse(options, owner.error());
  if (*owner != application_id)
    return refuse(options,
                  "is a database of another program. It was left as it is; move it away, or give another folder");
  const auto version = connection.integer("PRAGMA user_version");
  if (!version) return refuse(options, version.error());
  if (*version > schema_version)
    return refuse(options, fmt::format("was written by a later version of firstcome (schema {}; this one knows {}). "
                                       "It was left as it is; use that version",
                                       *version, schema_version));
  if (*version < oldest_schema_version) return damaged(options, fmt::format("there never was a schema {}", *version));
  return {};
}

constexpr Number last_row_number{(std::uint64_t{1} << limits::row_number_bits) - 1};

/// What the outbox says of itself.
struct Outbox {
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> last_of_sale;  ///< by handle
};

/// Every row of it.
Checked<Outbox> check_outbox(const RecoveryOptions& options, Connection& connection) {
  auto statement = connection.prepare(select_events_sql);
  if (!statement) return refuse(options, statement.error());
  statement->bind(1, std::int64_t{0});
  Outbox outbox;
  std::uint64_t sequence = 0;
  sale::EventRecord event;
  std::uint64_t* last_of_sale = nullptr;
  SaleHandle sale{};
  int code = SQLITE_DONE;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (read_event(*statement, sequence, event) == RowCheck::damaged)
      return damaged(options, fmt::format("the outbox row {} has a wrong checksum", sequence));
    if (outbox.last_sequence == 0) outbox.first_sequence = sequence;
    if (outbox.last_sequence != 0 && sequence != outbox.last_sequence + 1)
      return damaged(options, fmt::format("outbox rows are missing before {}", sequence));
    outbox.last_sequence = sequence;
    if (last_of_sale == nullptr || event.sale != sale) {
      last_of_sale = &outbox.last_of_sale[value(event.sale)];  // stays where it is when the map grows
      sale = event.sale;
    }
    *last_of_sale = event.sale_sequence;
  }
  if (code != SQLITE_DONE) return refuse(options, statement->error());
  return outbox;
}

Checked<Outbox> check_structure_and_outbox(const RecoveryOptions& options) {
  auto connection = open_to_read(options);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const auto verdict = connection->text("PRAGMA quick_check(1)");
  if (!verdict) return refuse(options, verdict.error());
  if (*verdict != "ok") return damaged(options, *verdict);
  return check_outbox(options, *connection);
}

sale::LedgerOptions with_random_seed() {
  sale::LedgerOptions options;
  std::array<unsigned char, sizeof options.hash_seed> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  std::memcpy(&options.hash_seed, bytes.data(), bytes.size());
  return options;
}

/// Reads rows into a ledger.
class Loader {
 public:
  Loader(const RecoveryOptions& options, Connection& connection) : options_(options), connection_(connection) {}

  Checked<Recovered> load() {
    auto meta = read_meta(connection_);
    if (!meta) return refuse(options_, meta.error());
    found_.meta = *meta;
    found_.now = meta->now;
    if (auto read = load_sales(); !read) return std::unexpected(std::move(read.error()));
    if (auto read = load_reservations(); !read) return std::unexpected(std::move(read.error()));
    if (auto read = load_locks(); !read) return std::unexpected(std::move(read.error()));
    if (auto read = load_marks(); !read) return std::unexpected(std::move(read.error()));
    if (auto read = load_past(); !read) return std::unexpected(std::move(read.error()));
    for (const auto& [handle, sale] : sales_)
      if (sale.life == SaleRow::Life::kept && !sale.at_rest && sale.stored != sale.last_number)
        return damaged(options_, fmt::format("sale {} gave {} numbers, and {} reservations are stored", handle,
                                             sale.last_number, sale.stored));
    if (auto wrong = found_.ledger.finish_restore()) return damaged(options_, *wrong);
    return std::move(found_);
  }

  /// REQUIRES: loaded. What does not fit between the sales and the outbox.
  std::optional<std::string> compare(const Outbox& outbox) const {
    for (const auto& [handle, sale] : sales_) {
      if (sale.life != SaleRow::Life::kept) continue;
      const auto last = outbox.last_of_sale.find(handle);
      if (last == outbox.last_of_sale.end() && outbox.first_sequence > 1) continue;  // delivered and removed
      const std::uint64_t stored = last == outbox.last_of_sale.end() ? 0 : last->second;
      if (stored != sale.events)
        return fmt::format("sale {} had {} events, and the outbox ends at {}", handle, sale.events, stored);
    }
    return std::nullopt;
  }

 private:
  struct Sale {
    std::string id;
    SaleRow::Life life = SaleRow::Life::kept;
    std::uint64_t last_number = 0;
    std::uint64_t events = 0;
    std::uint64_t stored = 0;  ///< reservations
    bool at_rest = false;
  };

  Checked<void> load_sales() {
    auto statement = connection_.prepare(select_sales_sql);
    if (!statement) return refuse(options_, statement.error());
    SaleRow row;
    int code = SQLITE_DONE;
    while ((code = statement->step()) == SQLITE_ROW) {
      const sale::SaleRecord& record = row.record;
      if (read_sale(*statement, row) == RowCheck::damaged)
        return damaged(options_, fmt::format("the row of sale {} has a wrong checksum", value(record.handle)));
      found_.now = std::max(found_.now, row.now);
      sales_[value(record.handle)] = {record.terms.id, row.life, record.last_number, record.events, 0, false};
      if (row.life == SaleRow::Life::leaving) found_.leaving.push_back(record.handle);
      if (row.life != SaleRow::Life::kept) continue;
      if (record.settled) {
        settled_.push_back(record);
      } else if (auto wrong = found_.ledger.restore(record)) {
        return damaged(options_, *wrong);
      }
    }
    if (code != SQLITE_DONE) return refuse(options_, statement->error());
    if (auto restored = restore_settled(); !restored) return restored;
    if (!sales_.empty()) found_.ledger.restore_last_handle(SaleHandle{sales_.rbegin()->first});
    return {};
  }

  /// Now it is known how late it is.
  Checked<void> restore_settled() {
    const Instant now = std::max(options_.wall, found_.now);
    for (const sale::SaleRecord& record : std::exchange(settled_, {})) {
      const bool rests = record.closed_at + limits::closed_sale_in_memory <= now;
      auto wrong = rests ? found_.ledger.restore_at_rest(record) : found_.ledger.restore(record);
      if (wrong) return damaged(options_, *wrong);
      if (!rests) continue;
      sales_[value(record.handle)].at_rest = true;
      found_.reservations += record.last_number;
    }
    return {};
  }

  /// All but those of sales at rest.
  Checked<void> load_reservations() {
    std::uint64_t from = 0;
    for (const auto& [handle, sale] : sales_) {
      if (!sale.at_rest) continue;
      if (auto read = load_reservations(from, handle); !read) return read;
      from = handle + 1;
    }
    if (auto read = load_reservations(from, last_sale_handle + 1); !read) return read;
    while (taken_ < rows_)
      if (auto taken = take_next(); !taken) return taken;
    found_.loaded = taken_;
    found_.reservations += taken_;
    return {};
  }

  // Rows are read some time ahead of the ledger's taking them, so that the processor can fetch what that will look at:
  // half of a start is waiting for memory.
  /// Of sales with these handles, the last excluded.
  Checked<void> load_reservations(std::uint64_t from, std::uint64_t upto) {
    if (from == upto) return {};
    auto statement = connection_.prepare(select_reservations_sql);
    if (!statement) return refuse(options_, statement.error());
    statement->bind(1, row_id({SaleHandle{from}, Number{0}}));
    statement->bind(2, row_id({SaleHandle{upto - 1}, last_row_number}));
    int code = SQLITE_DONE;
    while ((code = statement->step()) == SQLITE_ROW) {
      ReadAhead& row = read_ahead_[rows_ % read_ahead_.size()];
      const RowCheck sum = read_reservation(*statement, row.record);
      const ReservationRef ref = row.record.ref;
      if (sum == RowCheck::damaged)
        return damaged(options_, fmt::format("the row of reservation {} of sale {} has a wrong checksum",
                                             value(ref.number), value(ref.sale)));
      if (auto placed = place(row); !placed) return placed;
      if (row.sale->life != SaleRow::Life::kept) continue;
      ++rows_;
      prefetch(1, sale::Ledger::Ahead::far);
      prefetch(8, sale::Ledger::Ahead::near);
      if (rows_ - taken_ < 16) continue;
      if (auto taken = take_next(); !taken) return taken;
    }
    if (code != SQLITE_DONE) return refuse(options_, statement->error());
    return {};
  }

  Checked<void> load_locks() {
    const auto there = has_table("lock");  // a store of schema 1 has none
    if (!there) return std::unexpected(there.error());
    if (!*there) return {};
    auto statement = connection_.prepare(select_locks_sql);
    if (!statement) return refuse(options_, statement.error());
    lock::BookedGrant grant;
    int code = SQLITE_DONE;
    while ((code = statement->step()) == SQLITE_ROW) {
      if (read_lock(*statement, grant) == RowCheck::damaged)
        return damaged(options_, fmt::format("the row of lock \"{}\" has a wrong checksum", grant.name));
      if (grant.name.empty()) {
        found_.last_lock_token = grant.token;
      } else {
        found_.locks.push_back(grant);
      }
    }
    if (code != SQLITE_DONE) return refuse(options_, statement->error());
    return {};
  }

  Checked<bool> has_table(std::string_view name) {
    const std::string sql =
        fmt::format("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{}'", name);
    const auto there = connection_.integer(sql.c_str());
    if (!there) return refuse(options_, there.error());
    return *there != 0;
  }

  Checked<void> load_marks() {
    OutboxMarks& marks = found_.outbox;
    for (const auto& [mark, sql] : {std::pair{&marks.oldest, "SELECT ifnull(min(seq), 0) FROM outbox"},
                                    std::pair{&marks.last, "SELECT ifnull(max(seq), 0) FROM outbox"}}) {
      const auto found = connection_.integer(sql);
      if (!found) return refuse(options_, found.error());
      *mark = static_cast<std::uint64_t>(*found);
    }
    if (auto read = load_delivered(); !read) return read;
    if (marks.delivered > marks.last)
      return damaged(options_, fmt::format("the outbox ends at {}, and is said to be delivered up to {}", marks.last,
                                           marks.delivered));
    if (marks.oldest > marks.delivered + 1)
      return damaged(options_, fmt::format("the outbox begins at {}, and is delivered up to {} only", marks.oldest,
                                           marks.delivered));
    return load_last_of_sales();
  }

  Checked<void> load_delivered() {
    const auto there = has_table("delivery");  // a store of schema 2 has none
    if (!there) return std::unexpected(there.error());
    if (!*there) return {};
    auto statement = connection_.prepare(select_delivery_sql);
    if (!statement) return refuse(options_, statement.error());
    const int code = statement->step();
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return refuse(options_, statement->error());
    if (read_delivery(*statement, found_.outbox.delivered) == RowCheck::damaged)
      return damaged(options_, "the row of the table delivery has a wrong checksum");
    return {};
  }

  Checked<void> load_past() {
    auto past = read_past(connection_);
    if (!past) return refuse(options_, past.error());
    found_.past = std::move(*past);
    if (const auto first = found_.past.incarnations.last_beginning())
      found_.ledger.restore_last_handle(SaleHandle{value(*first) - 1});
    return {};
  }

  Checked<void> load_last_of_sales() {
    auto statement = connection_.prepare("SELECT sale, max(seq) FROM outbox WHERE seq > ? GROUP BY sale");
    if (!statement) return refuse(options_, statement.error());
    statement->bind(1, found_.outbox.delivered);
    int code = SQLITE_DONE;
    while ((code = statement->step()) == SQLITE_ROW)
      found_.outbox.last_of_sale[statement->natural(0)] = statement->natural(1);
    if (code != SQLITE_DONE) return refuse(options_, statement->error());
    return {};
  }

  struct ReadAhead {
    sale::ReservationRecord record;
    Sale* sale = nullptr;
  };

  /// Finds the row's sale, of which it must be the next.
  Checked<void> place(ReadAhead& row) {
    const ReservationRef ref = row.record.ref;
    if (last_sale_ == nullptr || ref.sale != last_handle_) {
      const auto known = sales_.find(value(ref.sale));
      if (known == sales_.end() || known->second.life == SaleRow::Life::gone)
        return damaged(options_,
                       fmt::format("there are reservations of a sale {}, which is not there", value(ref.sale)));
      last_handle_ = ref.sale;
      last_sale_ = &known->second;
    }
    row.sale = last_sale_;
    if (row.sale->life == SaleRow::Life::kept && value(ref.number) != ++row.sale->stored)
      return damaged(options_, fmt::format("reservation {} of sale {} is missing", row.sale->stored, value(ref.sale)));
    return {};
  }

  /// Of the row read `before` rows ago; 1 is the last.
  void prefetch(std::uint64_t before, sale::Ledger::Ahead ahead) const {
    if (rows_ - taken_ < before) return;
    const auto& [record, sale] = read_ahead_[(rows_ - before) % read_ahead_.size()];
    found_.ledger.prefetch(Reserve{sale->id, record.customer, 1, {}, record.key}, ahead);
  }

  Checked<void> take_next() {
    const sale::ReservationRecord& record = read_ahead_[taken_++ % read_ahead_.size()].record;
    if (auto wrong = found_.ledger.restore(record, std::max(options_.wall, found_.now)))
      return damaged(options_, *wrong);
    return {};
  }

  const RecoveryOptions& options_;
  Connection& connection_;
  Recovered found_{{}, sale::Ledger(with_random_seed()), {}, 0, {}, {}, {}, 0, 0, {}};
  std::vector<sale::SaleRecord> settled_;
  std::map<std::uint64_t, Sale> sales_;  ///< by handle
  SaleHandle last_handle_{};
  Sale* last_sale_ = nullptr;
  std::array<ReadAhead, 32> read_ahead_;
  std::uint64_t rows_ = 0;   ///< read
  std::uint64_t taken_ = 0;  ///< by the ledger
};

}  // namespace

std::expected<Recovered, Failure> recover(const RecoveryOptions& options) {
  auto connection = open_to_read(options);
  if (!connection) return std::unexpected(std::move(connection.error()));
  if (auto ours = check_owner(options, *connection); !ours) return std::unexpected(std::move(ours.error()));
  auto rest = std::async(std::launch::async, [&options] { return check_structure_and_outbox(options); });
  Loader loader(options, *connection);
  auto loaded = loader.load();
  auto outbox = rest.get();
  // Where both fail, a broken structure explains the wrong rows, not the other way round.
  if (!outbox) return std::unexpected(std::move(outbox.error()));
  if (!loaded) return loaded;
  if (auto wrong = loader.compare(*outbox)) return damaged(options, *wrong);
  return loaded;
}

std::expected<Recovered, Failure> rebuild(const RecoveryOptions& options) {
  auto connection = open_to_read(options);
  if (!connection) return std::unexpected(std::move(connection.error()));
  return Loader(options, *connection).load();
}

}  // namespace firstcome::engine
