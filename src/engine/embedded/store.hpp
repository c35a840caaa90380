// The writer: one transaction per turn into `firstcome.db`, and what its failures mean.
//
// Every error before COMMIT is a transaction that did not happen. In COMMIT, SQLite appends the pages to the log, syncs
// it, then tells the other connections. So an error of the appending (no space, a failed write, read-only, busy) is
// surely not committed; a failed sync, and whatever else can fail there, leaves it unknown.
#pragma once

#include "engine/embedded/outbox_marks.hpp"
#include "engine/embedded/past_rows.hpp"
#include "engine/embedded/rows.hpp"
#include "engine/embedded/sqlite.hpp"
#include "sale/ledger.hpp"

#include <firstcome/types.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::engine {

/// What became of a transaction.
enum class Fate {
  committed,
  not_committed,  ///< surely; rolled back
  locked_out,     ///< surely: another program has the file's write lock. The same again later
  unknown,        ///< it may be found on the disk after a crash, or not
};

struct Written {
  Fate fate = Fate::committed;
  sqlite::Error error;  ///< unless committed
};

/// What changes in the store's past. Losses stand at their place in the list.
struct PastChanges {
  Instant now;
  Incarnation incarnation = no_incarnation;  ///< the one that begins; none: none does
  SaleHandle first_sale{1};                  ///< the first that is to be made in it
  std::vector<Era> eras;
  std::vector<std::pair<std::size_t, Loss>> losses;
};

/// For the owner's thread only. After a transaction that was not committed, `reopen` before the next; after one that
/// was locked out, try again.
class Store {
 public:
  /// REQUIRES: the file was checked (see recovery.hpp); `outbox` is what was found. Of what is delivered, the last
  /// `keep` events stay.
  static sqlite::Result<Store> open(std::filesystem::path path, std::string vfs, OutboxMarks outbox,
                                    std::uint64_t keep);

  /// Stores what `changes` names, as the ledger knows it, what has changed in the book of locks, and that the outbox is
  /// delivered up to `delivered` (as far as it was: nothing to store), in one transaction.
  Written write(const sale::Ledger& ledger, const sale::Changes& changes, const lock::LockBook& locks,
                std::uint64_t delivered, Instant now);

  /// In a transaction of its own.
  Written write_past(const PastChanges& changes);
  /// Reads through the outbox: for a start.
  Written forget_deleted();

  /// A write that changes nothing that anybody reads: whether the file takes writes again.
  Written probe(Instant now);

  /// Removes reservations of a sale whose row says `leaving`: those numbered `from` to `from + count - 1`.
  Written remove_reservations(SaleHandle sale, std::uint64_t from, std::uint64_t count);
  /// None are left: the row says `gone`.
  Written finish_removal(SaleHandle sale);

  /// Reads those numbered `from` to `from + count - 1` of a sale, of which none may be missing. `rows` is filled anew.
  sqlite::Result<void> read_reservations(ReservationRef from, std::uint64_t count,
                                         std::vector<sale::ReservationRecord>& rows);

  /// The last number that a sale gave, by its row.
  sqlite::Result<std::uint64_t> last_number(SaleHandle sale);

  /// A new connection, after a failure.
  sqlite::Result<void> reopen();
  /// As of the last commit.
  const OutboxMarks& outbox() const { return outbox_; }
  /// After the file was read again.
  void set_outbox(OutboxMarks outbox) { outbox_ = std::move(outbox); }

  /// Folds the log into the file as far as that is possible without waiting. The log starts over with the next
  /// transaction if all of it was folded. Returns how many of its frames are folded.
  sqlite::Result<std::uint64_t> checkpoint();

  /// Of the log's content, as of the last commit.
  std::uint64_t log_frames() const { return *log_frames_; }
  std::uint64_t log_bytes() const;

  /// Leaves log and file as they are when it is closed.
  void leave_as_it_is();

 private:
  struct Statements {
    sqlite::Statement begin, commit, rollback;
    sqlite::Statement insert_reservation, replace_reservation, replace_sale, select_sale, select_reservations,
        insert_event, replace_lock, delete_lock, replace_delivery, trim_outbox;
  };

  Store(std::filesystem::path path, std::string vfs, OutboxMarks outbox, std::uint64_t keep);

  template <class Body>
  Written transaction(Body body);
  Written roll_back(Fate fate, sqlite::Error error);
  sqlite::Result<void> write_reservations(const sale::Ledger& ledger, const sale::Changes& changes);
  sqlite::Result<void> write_sales(const sale::Ledger& ledger, const sale::Changes& changes, Instant now);
  sqlite::Result<void> write_events(const sale::Changes& changes);
  void note_events(const sale::Changes& changes, std::uint64_t last_before);
  sqlite::Result<void> write_delivered(std::uint64_t upto);
  sqlite::Result<void> write_locks(const lock::LockBook& locks);
  sqlite::Result<SaleRow> sale_row(SaleHandle sale);
  sqlite::Result<void> mark(SaleHandle sale, SaleRow::Life life, Instant now);
  sqlite::Result<void> touch_meta(Instant now);

  std::filesystem::path path_;
  std::string vfs_;
  OutboxMarks outbox_;
  std::uint64_t keep_;
  std::unique_ptr<std::uint64_t> log_frames_;  // its address is SQLite's to keep
  std::int64_t page_bytes_ = 4096;
  sqlite::Connection connection_;
  Statements statements_;            // after the connection: finalised first
  sale::ReservationRecord scratch_;  // its strings keep their capacity
};

}  // namespace firstcome::engine
