#include "cli/lock/command_environment.hpp"

#include "cli/lock/lock_options.hpp"
#include "net/url_credentials.hpp"

#include <string_view>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX says to declare it

namespace firstcome::cli {
namespace {

constexpr std::string_view name_variable = "FIRSTCOME_LOCK_NAME";
constexpr std::string_view token_variable = "FIRSTCOME_LOCK_TOKEN";

std::string assignment(std::string_view variable, std::string_view value) {
  return std::string(variable) + "=" + std::string(value);
}

}  // namespace

std::vector<std::string> environment_under(const std::string& name, std::optional<std::uint64_t> token,
                                           const std::string& backend) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view variable = text.substr(0, text.find('='));
    if (variable == name_variable || variable == token_variable || variable == lock_backend_variable) continue;
    environment.emplace_back(text);
  }
  environment.push_back(assignment(lock_backend_variable, net::without_credentials(backend)));
  environment.push_back(assignment(name_variable, name));
  if (token) environment.push_back(assignment(token_variable, std::to_string(*token)));
  return environment;
}

}  // namespace firstcome::cli
