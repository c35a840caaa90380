#include "net/url_credentials.hpp"

#include <algorithm>
#include <string_view>

namespace firstcome::net {
namespace {

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

}  // namespace firstcome::net
