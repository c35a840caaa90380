// Rows of values for one table, before any database has its own form of them.
#pragma once

#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::engine {

class SqlDialect;

struct SqlColumn {
  enum class Type : std::uint8_t { text, number } type = Type::text;
  std::string_view name;
};

struct SqlCell {
  std::string_view text;
  std::int64_t number = 0;
  bool is_null = false;
};

/// Filled cell by cell, row by row. The texts must live as long as it. Not thread-safe.
class SqlRows {
 public:
  SqlRows(std::string_view table, std::span<const SqlColumn> columns) : table_(table), columns_(columns) {}

  SqlRows& text(std::string_view value) { return add({.text = value}); }
  SqlRows& text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }
  SqlRows& number(std::int64_t value) { return add({.text = {}, .number = value}); }
  SqlRows& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
  SqlRows& instant(Instant value) { return number(std::int64_t{value.time_since_epoch().count()}); }
  SqlRows& instant_or_null(std::optional<Instant> value) { return value ? instant(*value) : null(); }
  SqlRows& null() { return add({.text = {}, .number = 0, .is_null = true}); }

  std::span<const SqlColumn> columns() const { return columns_; }
  std::size_t rows() const { return cells_.size() / columns_.size(); }
  const SqlCell& at(std::size_t row, std::size_t column) const { return cells_[row * columns_.size() + column]; }

  /// `INSERT INTO table (columns) `
  std::string head() const;
  /// A whole statement with the values in its text. Throws SqlFailure (content) where none can hold a text.
  std::string statement(const SqlDialect& dialect) const;

 private:
  SqlRows& add(SqlCell cell) {
    cells_.push_back(cell);
    return *this;
  }

  const std::string_view table_;
  const std::span<const SqlColumn> columns_;
  std::vector<SqlCell> cells_;
};

}  // namespace firstcome::engine
