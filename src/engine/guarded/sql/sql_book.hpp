// Book in SQL, and the statements that all ways to sell in SQL are made of.
#pragma once

#include "engine/guarded/book.hpp"
#include "engine/guarded/sql/sql_link.hpp"

#include <functional>
#include <string>

namespace firstcome::engine {

/// `begin` is deferred: on SQLite whoever reads, and then writes after somebody else has, is told so (`conflict`), and
/// begins again. This is why on SQLite a guard that is let go before the commit oversells nothing, nor one that keeps
/// only the threads of one process apart: the database itself refuses what was read too early. GuardKind::none, which
/// reads in one transaction and writes in another, is not saved by that.
class SqlBook final : public Book {
 public:
  /// Both must outlive it.
  SqlBook(const GuardedOptions& options, SqlLink& link) : options_(options), link_(link) {}

  void begin() override { link_.begin(SqlLink::Begin::deferred); }
  Seen read(const Purchase& purchase) override;
  WrittenOrder write(const Purchase& purchase, const Seen& seen, const Stamp& stamp) override;
  void commit() override { link_.commit(); }
  void roll_back() noexcept override { link_.roll_back(); }

  /// These try again themselves after a `conflict`, as long as a buyer waits for a guard; then they throw `unknown`.
  void mark_paid(SaleHandle sale, Number number) override;
  void take_back(SaleHandle sale, Number number, Units quantity) override;

  // --- for sellers ---

  /// The query of `read`: available, version, units of the customer, and the order of the same key. One statement sees
  /// one instant.
  std::string read_query(const Purchase& purchase) const;
  static constexpr std::size_t read_columns = 8;
  /// From its answer. Throws where there is no such sale.
  Seen seen_in(const std::vector<SqlLink::Row>& rows) const;

  /// What the INSERT of an order says.
  struct Draft {
    std::string sql;  ///< its answer is the order's number
    Instant at{};
  };
  Draft draft(const Purchase& purchase, const Seen& seen, const Stamp& stamp) const;
  /// The same, but where the customer has more than `most` units by now it adds nothing and answers no row.
  Draft draft_within(const Purchase& purchase, const Seen& seen, const Stamp& stamp, Units most) const;
  /// Sends a draft, after `first` where that is not empty.
  WrittenOrder insert(const Draft& draft, std::string_view first = {});

  /// The stock of a sale, in a transaction.
  void give_back(SaleHandle sale, Units quantity);
  /// Undoes an order and what `give_back` of the stock; nothing where the order is gone.
  void take_back(SaleHandle sale, Number number, const std::function<void()>& give_back);
  /// Calls again after a conflict.
  void insist(const std::function<void()>& work);

 private:
  std::string values_of(const Purchase& purchase, const Seen& seen, const Stamp& stamp, Microsecond now) const;

  const GuardedOptions& options_;
  SqlLink& link_;
};

}  // namespace firstcome::engine
