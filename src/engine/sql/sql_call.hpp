// A statement whose values stand apart from its text: for those that are sent again and again, which a database parses
// and plans once for each connection.
#pragma once

#include "engine/sql/sql_dialect.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace firstcome::engine {

/// Built piece by piece. Its text follows from the pieces alone, so the same pieces with other values are one
/// statement.
class SqlCall {
 public:
  using Value = std::variant<std::int64_t, std::string>;

  explicit SqlCall(const SqlDialect& dialect, std::string_view text = {}) : kind_(dialect.kind()), text_(text) {}

  SqlCall& operator<<(std::string_view text) {
    text_ += text;
    return *this;
  }
  SqlCall& number(std::int64_t value) {
    mark();
    if (kind_ == DatabaseUrl::Kind::postgresql) text_ += "::bigint";
    values_.emplace_back(value);
    return *this;
  }
  SqlCall& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
  /// Of the type of what it is compared with or stored in.
  SqlCall& text(std::string_view value) {
    mark();
    values_.emplace_back(std::string(value));
    return *this;
  }

  const std::string& text() const { return text_; }
  const std::vector<Value>& values() const { return values_; }

 private:
  void mark() {
    if (kind_ == DatabaseUrl::Kind::postgresql) {
      text_ += '$';
      text_ += std::to_string(values_.size() + 1);
    } else {
      text_ += '?';
    }
  }

  DatabaseUrl::Kind kind_;
  std::string text_;
  std::vector<Value> values_;
};

struct SqlAnswer {
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::uint64_t changed = 0;  ///< as SqlSession::execute counts
};

}  // namespace firstcome::engine
