#include "engine/sql/sql_rows.hpp"

#include "engine/sql/sql_values.hpp"

namespace firstcome::engine {

std::string SqlRows::head() const {
  std::string sql = "INSERT INTO ";
  sql += table_;
  for (const SqlColumn& column : columns_) {
    sql += &column == columns_.data() ? " (" : ", ";
    sql += column.name;
  }
  return sql + ") ";
}

std::string SqlRows::statement(const SqlDialect& dialect) const {
  std::string sql = head() + "VALUES ";
  SqlValues values(sql, dialect);
  for (std::size_t row = 0; row < rows(); ++row) {
    values.begin_row();
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      const SqlCell& cell = at(row, column);
      if (cell.is_null) {
        values.null();
      } else if (columns_[column].type == SqlColumn::Type::text) {
        values.text(cell.text);
      } else {
        values.number(cell.number);
      }
    }
    values.end_row();
  }
  return sql;
}

}  // namespace firstcome::engine
