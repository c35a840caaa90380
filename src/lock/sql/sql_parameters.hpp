// The parameters of an SQL server's client library that a URL may give. Pure.
#pragma once

#include "lock/sql/sql_url.hpp"

#include <string>
#include <string_view>

namespace firstcome::lock {

struct SqlParameter {
  enum class Type : std::uint8_t { text, file, seconds, zero_or_one, one_of };

  std::string_view name;
  Type type = Type::text;
  std::string_view words = {};  ///< one_of: these, with `, ` between them
};

/// The name that a library has for it: libpq's `host` is our `socket`, and MariaDB Connector/C takes `_` for `-`.
std::string sql_parameter_name(SqlUrl::Server server, std::string_view given);

/// Null: there is none of that name.
const SqlParameter* find_sql_parameter(SqlUrl::Server server, std::string_view name);

/// All that a URL may give, for a message.
std::string sql_parameter_names(SqlUrl::Server server);

bool fits(const SqlParameter& parameter, std::string_view value);
/// What `fits` wants, to be read after "must be".
std::string rule_of(const SqlParameter& parameter);

}  // namespace firstcome::lock
