// What stands in `DATA/firstcome.db`, and how a new one is made.
//
// Tables: `meta` (one row: which store this is), `sale` (a row each, written again with every commit that touches the
// sale), `reservation` and `outbox` (the hot ones), `delivery` (one row: up to where the outbox is delivered), `lock`
// (a row for each name that is held, and one without a name for the last token), `incarnation`, `era` and `loss` (see
// past_rows.hpp; written at a start, and when a loss is found or settled). Views for people: `sales`,
// `reservations`, `events`, `locks`. Rows of the hot tables stay short: what has its usual value is NULL. Nothing but
// the primary keys is indexed.
#pragma once

#include "engine/embedded/sqlite.hpp"
#include "engine/reservation_id.hpp"

#include <firstcome/limits.hpp>
#include <firstcome/types.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

namespace firstcome::engine {

/// "1stC", in the file's header, so that `file` and other programs can tell whose it is.
inline constexpr std::int32_t application_id = 0x31737443;
inline constexpr std::int64_t schema_version = 6;
/// 2 brought locks, 3 the mark of what is delivered, 4 incarnations, 5 paused sales, terms that change until the
/// opening, extended holds and units that were given back, 6 sales that are not loaded at a start. An earlier store is
/// brought up to date when it is opened; until then its rows lack the last columns.
inline constexpr std::int64_t oldest_schema_version = 1;

/// The row of `meta`.
struct StoreMeta {
  std::array<std::uint8_t, 16> store_id{};
  StoreSecret secret{};
  Instant created_at;
  Instant now;  ///< of a commit that touched no sale
};

/// The last handle that a row id has room for.
inline constexpr std::uint64_t last_sale_handle = (std::uint64_t{1} << (63 - limits::row_number_bits)) - 1;

constexpr std::int64_t row_id(ReservationRef ref) {
  return static_cast<std::int64_t>(value(ref.sale) << limits::row_number_bits | value(ref.number));
}
constexpr ReservationRef ref_of_row(std::int64_t id) {
  const auto bits = static_cast<std::uint64_t>(id);
  return {SaleHandle{bits >> limits::row_number_bits},
          Number{bits & ((std::uint64_t{1} << limits::row_number_bits) - 1)}};
}

/// Syncs a file or a folder, so that a rename in it is for good.
sqlite::Result<void> sync_path(const std::filesystem::path& path);

/// Makes the store in one step as far as anybody can see: under another name, synced, then renamed.
sqlite::Result<void> create_store(const std::filesystem::path& path, const StoreMeta& meta, const std::string& vfs);

/// Brings a store of an earlier version up to date, in one transaction. REQUIRES: it was checked (recovery.hpp).
sqlite::Result<void> upgrade_store(sqlite::Connection& connection);

}  // namespace firstcome::engine
