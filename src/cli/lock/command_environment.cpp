#include "cli/lock/command_environment.hpp"

#include "cli/lock/lock_options.hpp"

#include <algorithm>
#include <string_view>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX says to declare it

namespace firstcome::cli {
namespace {

constexpr std::string_view name_variable = "FIRSTCOME_LOCK_NAME";
constexpr std::string_view token_variable = "FIRSTCOME_LOCK_TOKEN";

std::string assignment(std::string_view variable, std::string_view value) {
  return std::string(variable) + "=" + std::string(value);
}

/// Drops the parameters of `?a=1&b=2` that hold a password.
std::string without_password_parameters(std::string_view parameters) {
  std::string kept;
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find('&'), parameters.size());
    const std::string_view parameter = parameters.substr(0, end);
    const std::string_view name = parameter.substr(0, parameter.find('='));
    if (!name.empty() && name.find("password") == std::string_view::npos)
      kept += std::string(kept.empty() ? "?" : "&") + std::string(parameter);
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return kept;
}

}  // namespace

std::string without_credentials(const std::string& url) {
  const std::string_view text = url;
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t query = std::min(text.find('?', begin), text.size());
  std::string_view rest = text.substr(begin, query - begin);
  // A password that should have been percent-encoded may hold any character, so the last '@' ends it.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  const std::string parameters =
      query < text.size() ? without_password_parameters(text.substr(query + 1)) : std::string();
  return std::string(text.substr(0, begin)) + std::string(rest) + parameters;
}

std::vector<std::string> environment_under(const std::string& name, std::optional<std::uint64_t> token) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view variable = text.substr(0, text.find('='));
    if (variable == name_variable || variable == token_variable) continue;
    if (variable == lock_backend_variable) {
      const std::string url(text.substr(std::min(variable.size() + 1, text.size())));
      environment.push_back(assignment(variable, without_credentials(url)));
    } else {
      environment.emplace_back(text);
    }
  }
  environment.push_back(assignment(name_variable, name));
  if (token) environment.push_back(assignment(token_variable, std::to_string(*token)));
  return environment;
}

}  // namespace firstcome::cli
