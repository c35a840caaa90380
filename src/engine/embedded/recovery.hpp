// From the file to a ledger in memory, refusing whatever cannot be trusted.
//
// Everything is read through connections that cannot write, so a refused file stays as it was, byte for byte. While one
// thread reads the reservations into the ledger, checking each row's sum, another has SQLite check the file's structure
// and then checks the sum of every outbox row.
//
// The reservations of sales at rest (sale/sale_rest.cpp) are not read: a start does not take longer the more was ever
// sold. They are checked when they are brought back.
#pragma once

#include "engine/embedded/outbox_marks.hpp"
#include "engine/embedded/past_rows.hpp"
#include "engine/embedded/schema.hpp"
#include "lock/lock_book.hpp"
#include "sale/ledger.hpp"

#include <firstcome/outcome.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace firstcome::engine {

/// What was found.
struct Recovered {
  StoreMeta meta;
  sale::Ledger ledger;
  std::vector<lock::BookedGrant> locks;
  std::uint64_t last_lock_token = 0;
  Instant now;  ///< of the last commit; the engine's time goes on from there at the earliest
  OutboxMarks outbox;
  Past past;
  std::uint64_t reservations = 0;   ///< stored, of sales that are not deleted
  std::uint64_t loaded = 0;         ///< of these, in memory: not those of sales at rest
  std::vector<SaleHandle> leaving;  ///< deleted sales whose reservations are still to be removed
};

struct RecoveryOptions {
  std::filesystem::path path;
  std::string vfs;
  Instant wall;  ///< the present; the last commit's, where that is later, decides which keys are young enough
};

/// All checks. `Failure::detail` is a sentence for the operator.
std::expected<Recovered, Failure> recover(const RecoveryOptions& options);

/// The same without checking structure and outbox: for a file that this process has checked and served before.
std::expected<Recovered, Failure> rebuild(const RecoveryOptions& options);

}  // namespace firstcome::engine
