#include "lock/sql/sql_parameters.hpp"

#include "net/url_parts.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace firstcome::lock {
namespace {

using Type = SqlParameter::Type;
using Server = SqlUrl::Server;

constexpr std::uint32_t longest_connect_seconds = 3'600;

constexpr auto of_libpq = std::to_array<SqlParameter>({
    {"application_name", Type::text},
    {"channel_binding", Type::one_of, "disable, prefer, require"},
    {"connect_timeout", Type::seconds},
    {"gssencmode", Type::one_of, "disable, prefer, require"},
    {"options", Type::text},
    {"passfile", Type::file},
    {"ssl_min_protocol_version", Type::one_of, "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"},
    {"sslcert", Type::file},
    {"sslcrl", Type::file},
    {"sslkey", Type::file},
    {"sslmode", Type::one_of, "disable, allow, prefer, require, verify-ca, verify-full"},
    {"sslrootcert", Type::file},
    {"target_session_attrs", Type::one_of, "any, read-write, read-only, primary, standby, prefer-standby"},
});

constexpr auto of_connector_c = std::to_array<SqlParameter>({
    {"connect-timeout", Type::seconds},
    {"ssl-ca", Type::file},
    {"ssl-capath", Type::file},
    {"ssl-cert", Type::file},
    {"ssl-cipher", Type::text},
    {"ssl-crl", Type::file},
    {"ssl-enforce", Type::zero_or_one},
    {"ssl-key", Type::file},
    {"ssl-verify-server-cert", Type::zero_or_one},
    {"tls-version", Type::text},
});

std::span<const SqlParameter> parameters_of(Server server) {
  if (server == Server::postgresql) return of_libpq;
  return of_connector_c;
}

bool is_word(std::string_view words, std::string_view value) {
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(", ", at), words.size());
    if (words.substr(at, end - at) == value) return true;
    at = end + 2;
  }
  return false;
}

}  // namespace

std::string sql_parameter_name(Server server, std::string_view given) {
  if (server == Server::postgresql) return given == "host" ? "socket" : std::string(given);
  if (given == "unix_socket") return "socket";
  if (given == "password_file") return "password_file";
  std::string name(given);
  std::ranges::replace(name, '_', '-');
  return name;
}

const SqlParameter* find_sql_parameter(Server server, std::string_view name) {
  const auto all = parameters_of(server);
  const auto found = std::ranges::find(all, name, &SqlParameter::name);
  return found == all.end() ? nullptr : &*found;
}

std::string sql_parameter_names(Server server) {
  std::string all = "socket, password_file";
  const auto known = parameters_of(server);
  for (std::size_t i = 0; i < known.size(); ++i)
    all += (i + 1 == known.size() ? " and " : ", ") + std::string(known[i].name);
  return all;
}

bool fits(const SqlParameter& parameter, std::string_view value) {
  switch (parameter.type) {
    case Type::text:
    case Type::file:
      // MariaDB's connection strings have values in braces.
      return !value.empty() && value.find_first_of("{}") == std::string_view::npos;
    case Type::seconds: {
      const auto seconds = net::number_of<std::uint32_t>(value);
      return seconds && *seconds >= 1 && *seconds <= longest_connect_seconds;
    }
    case Type::zero_or_one:
      return value == "0" || value == "1";
    case Type::one_of:
      return is_word(parameter.words, value);
  }
  return false;
}

std::string rule_of(const SqlParameter& parameter) {
  switch (parameter.type) {
    case Type::text:
      return "a text without braces";
    case Type::file:
      return "the name of a file, without braces";
    case Type::seconds:
      return "a number of seconds from 1 to 3600";
    case Type::zero_or_one:
      return "0 or 1";
    case Type::one_of:
      return "one of " + std::string(parameter.words);
  }
  return {};
}

}  // namespace firstcome::lock
