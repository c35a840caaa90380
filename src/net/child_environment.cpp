#include "net/child_environment.hpp"

#include <string_view>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX says to declare it

namespace firstcome::net {

std::vector<std::string> environment_without_settings() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (!name.starts_with("FIRSTCOME_") || name.ends_with("_PASSWORD")) environment.emplace_back(text);
  }
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace firstcome::net
