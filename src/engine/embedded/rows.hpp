// How records become rows and rows become records, each with its sum (see row_crc.hpp).
//
// The order of the columns is the tables' own; every `select` and `insert` here names all of them.
#pragma once

#include "engine/embedded/schema.hpp"
#include "engine/embedded/sqlite.hpp"
#include "lock/lock_book.hpp"
#include "sale/record.hpp"

#include <firstcome/types.hpp>

#include <cstdint>
#include <string_view>

namespace firstcome::engine {

/// Whether a row's sum is that of what it says.
enum class RowCheck { good, damaged };

sqlite::Result<void> write_meta(sqlite::Connection& connection, const StoreMeta& meta);
/// SQLITE_CORRUPT where there is not exactly one row or its sum is wrong.
sqlite::Result<StoreMeta> read_meta(sqlite::Connection& connection);

/// A sale's row: the record, and what only the store needs.
struct SaleRow {
  enum class Life : std::uint8_t {
    kept = 0,
    leaving = 1,  ///< deleted; its reservations are being removed
    gone = 2,     ///< they are; the row stays so that its handle is never given again and events can name it
  };
  sale::SaleRecord record;
  Instant now;  ///< of the commit that wrote it
  Life life = Life::kept;
};

inline constexpr std::string_view replace_sale_sql =
    "REPLACE INTO sale VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
inline constexpr std::string_view select_sale_sql = "SELECT * FROM sale WHERE handle = ?";
inline constexpr std::string_view select_sales_sql = "SELECT * FROM sale ORDER BY handle";
/// Text of `row` must stay valid until the statement was stepped.
void bind_sale(sqlite::Statement& statement, const SaleRow& row);
RowCheck read_sale(const sqlite::Statement& statement, SaleRow& row);

inline constexpr std::string_view insert_reservation_sql =
    "INSERT INTO reservation VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
/// Same binding.
inline constexpr std::string_view replace_reservation_sql =
    "REPLACE INTO reservation VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
inline constexpr std::string_view select_reservations_sql =
    "SELECT * FROM reservation WHERE id BETWEEN ? AND ? ORDER BY id";
void bind_reservation(sqlite::Statement& statement, const sale::ReservationRecord& record);
RowCheck read_reservation(const sqlite::Statement& statement, sale::ReservationRecord& record);

inline constexpr std::string_view insert_event_sql = "INSERT INTO outbox VALUES(?,?,?,?,?,?,?,?)";
inline constexpr std::string_view select_events_sql = "SELECT * FROM outbox WHERE seq > ? ORDER BY seq";
void bind_event(sqlite::Statement& statement, std::uint64_t sequence, const sale::EventRecord& event);
RowCheck read_event(const sqlite::Statement& statement, std::uint64_t& sequence, sale::EventRecord& event);

inline constexpr std::string_view replace_delivery_sql = "REPLACE INTO delivery VALUES(1,?,?)";
inline constexpr std::string_view select_delivery_sql = "SELECT upto, crc FROM delivery";
void bind_delivery(sqlite::Statement& statement, std::uint64_t upto);
RowCheck read_delivery(const sqlite::Statement& statement, std::uint64_t& upto);

inline constexpr std::string_view replace_lock_sql = "REPLACE INTO lock VALUES(?,?,?,?,?,?)";
inline constexpr std::string_view delete_lock_sql = "DELETE FROM lock WHERE name = ?";
inline constexpr std::string_view select_locks_sql = "SELECT * FROM lock";
/// Text of `grant` must stay valid until the statement was stepped.
void bind_lock(sqlite::Statement& statement, const lock::BookedGrant& grant);
RowCheck read_lock(const sqlite::Statement& statement, lock::BookedGrant& grant);

}  // namespace firstcome::engine
