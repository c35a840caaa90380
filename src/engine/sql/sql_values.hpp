// The VALUES of a multi-row INSERT, as text.
#pragma once

#include "engine/sql/sql_dialect.hpp"

#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::engine {

/// Appends `(…), (…)` to a statement. Throws SqlFailure (content) for a text that no statement can hold.
class SqlValues {
 public:
  SqlValues(std::string& sql, const SqlDialect& dialect) : sql_(sql), dialect_(dialect) {}

  void begin_row() {
    if (rows_++ > 0) sql_ += ',';
    sql_ += '(';
    columns_ = 0;
  }
  void end_row() { sql_ += ')'; }
  std::size_t rows() const { return rows_; }

  SqlValues& text(std::string_view value) {
    separate();
    append_text(sql_, value, dialect_);
    return *this;
  }
  SqlValues& text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }
  SqlValues& number(std::int64_t value) {
    separate();
    sql_ += std::to_string(value);
    return *this;
  }
  SqlValues& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
  SqlValues& instant(Instant value) { return number(std::int64_t{value.time_since_epoch().count()}); }
  SqlValues& instant_or_null(std::optional<Instant> value) { return value ? instant(*value) : null(); }
  SqlValues& null() {
    separate();
    sql_ += "NULL";
    return *this;
  }

 private:
  void separate() {
    if (columns_++ > 0) sql_ += ',';
  }

  std::string& sql_;
  const SqlDialect& dialect_;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
};

/// `('a','b')`
template <typename Texts>
std::string sql_list(const Texts& texts, const SqlDialect& dialect) {
  std::string out;
  SqlValues values(out, dialect);
  values.begin_row();
  for (const auto& text : texts) values.text(text);
  values.end_row();
  return out;
}

inline std::string sql_text(std::string_view value, const SqlDialect& dialect) {
  std::string out;
  append_text(out, value, dialect);
  return out;
}

}  // namespace firstcome::engine
