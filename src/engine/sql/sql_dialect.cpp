#include "engine/sql/sql_dialect.hpp"

namespace firstcome::engine {

const SqlDialect& dialect_of(DatabaseUrl::Kind kind) {
  switch (kind) {
    case DatabaseUrl::Kind::postgresql:
      return postgresql_dialect();
    case DatabaseUrl::Kind::mariadb:
      return mariadb_dialect();
    case DatabaseUrl::Kind::sqlite:
      break;
  }
  return sqlite_dialect();
}

std::string quoted_for_client(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

void refuse_zero_byte(std::string_view value) {
  if (value.find('\0') != value.npos) throw SqlFailure::content("a text with a zero byte cannot be stored");
}

void append_text(std::string& sql, std::string_view value, const SqlDialect& dialect) {
  refuse_zero_byte(value);
  sql += '\'';
  for (const char c : value) {
    if (c == '\'' || (c == '\\' && dialect.escapes_backslash())) sql += c;
    sql += c;
  }
  sql += '\'';
}

}  // namespace firstcome::engine
