// Book in SQL, and the statements that all ways to sell in SQL are made of.
#pragma once

#include "engine/guarded/book.hpp"
#include "engine/guarded/sql/sql_link.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  bool mark_paid(const Purchase& purchase, Number number, const Payment& payment) override;
  bool take_back(const Purchase& purchase, Number number, After after) override;

  // --- for sellers ---

  /// The query of `read`: available, version, units of the customer, the order of the same key, open orders of the
  /// customer, what that order was paid with. One statement sees one instant. `behind`: what follows its text.
  SqlCall read_call(const Purchase& purchase, std::string_view behind = {}) const;
  /// The same, as a part of another statement.
  void add_read(SqlCall& sql, const Purchase& purchase) const;
  static constexpr std::size_t read_columns = 11;
  /// From its answer, but for `at`. Throws where there is no such sale.
  Seen seen_in(const std::vector<SqlLink::Row>& rows) const;
  Microsecond now() const { return options_.now(); }

  // Parts of statements.
  static std::string text_of(const KeyHash& key);
  /// Units that the customer has bought, as an expression.
  void add_units_of(SqlCall& sql, const Purchase& purchase) const;
  /// Orders of the customer that wait for payment, likewise.
  void add_open_of(SqlCall& sql, const Purchase& purchase) const;
  /// What an INSERT of an order begins with.
  static constexpr std::string_view insert_order =
      "INSERT INTO guarded_orders (sale, customer, quantity, reference, key_hash, paid, sold_at_ms, node,"
      " seen_available, read_at_us, written_at_us) ";

  /// The INSERT of an order.
  struct Draft {
    SqlCall call;  ///< its answer is the order's number
    Instant at{};
  };
  Draft draft(const Purchase& purchase, const Seen& seen, const Stamp& stamp) const;
  /// For one who has taken the units and read nothing: where the customer has too many by now, units or open orders, it
  /// adds nothing and answers no row. `asked_at`: when the units were asked for.
  Draft draft_unread(const Purchase& purchase, Microsecond asked_at, const Stamp& stamp) const;
  /// Sends a draft, after `first` where there is one.
  WrittenOrder insert(Draft draft, std::optional<SqlCall> first = {});

  /// Stores the payment of an order. REQUIRES: the transaction that has written the order is open.
  void note_payment(const Purchase& purchase, Number number, const Payment& payment);

  /// The stock of a sale, in a transaction.
  void give_back(SaleHandle sale, Units quantity);
  /// The same with another way to give units back.
  bool take_back(const Purchase& purchase, Number number, After after, const std::function<void()>& give_back);
  /// Calls again after a conflict.
  bool insist(const std::function<bool()>& work);

 private:
  struct SeenStock {
    std::optional<Units> available;  ///< nothing: what stands there now, and the order's units
    Microsecond at{};
    Microsecond now{};
  };
  /// Appends the payment as the arguments of an UPDATE.
  static void add_payment(SqlCall& sql, const Payment& payment);
  /// Of an INSERT of an order.
  void add_values(SqlCall& sql, const Purchase& purchase, const SeenStock& seen, const Stamp& stamp) const;

  const GuardedOptions& options_;
  SqlLink& link_;
};

}  // namespace firstcome::engine
