// Two classes of one name are one class for the linker, which then takes the members of either: silently, and only
// where the compiler does not inline.
#include "house/sources.hpp"

#include <gtest/gtest.h>
#include <regex.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace firstcome::house {
namespace {

/// What parentheses find in a line.
class Finder {
 public:
  explicit Finder(const char* pattern) { EXPECT_EQ(regcomp(&compiled_, pattern, REG_EXTENDED), 0) << pattern; }
  ~Finder() { regfree(&compiled_); }
  Finder(const Finder&) = delete;
  Finder& operator=(const Finder&) = delete;

  /// The text of the `group`th parenthesis; empty: the line does not match.
  std::string find(const std::string& line, std::size_t group) const {
    std::array<regmatch_t, 4> matches{};
    if (regexec(&compiled_, line.c_str(), matches.size(), matches.data(), 0) != 0) return {};
    const regmatch_t& match = matches.at(group);
    return line.substr(static_cast<std::size_t>(match.rm_so), static_cast<std::size_t>(match.rm_eo - match.rm_so));
  }

 private:
  regex_t compiled_{};
};

/// Calls `each` with the qualified name of every class that is defined at the level of a namespace that has a name.
template <typename Each>
void for_each_class(const SourceFile& file, Each each) {
  static const Finder opens("^(inline )?namespace ?([a-z_:]*) ?\\{");
  static const Finder defines("^(struct|class|union|enum|enum class) ([A-Za-z_]+)( final)?( : [^;]*)? *\\{");
  std::vector<std::pair<std::ptrdiff_t, std::string>> namespaces;  // with the depth of braces outside
  std::ptrdiff_t depth = 0;
  for (const std::string& line : file.code) {
    const bool opens_one = line.starts_with("namespace") || line.starts_with("inline namespace");
    if (opens_one && line.ends_with('{')) namespaces.emplace_back(depth, opens.find(line, 2));
    const std::string name = defines.find(line, 2);
    const bool is_shared =
        std::ranges::none_of(namespaces, [](const auto& each_one) { return each_one.second.empty(); });
    if (!name.empty() && is_shared && depth == static_cast<std::ptrdiff_t>(namespaces.size())) {
      std::string qualified;
      for (const auto& [outside, part] : namespaces) qualified += part + "::";
      each(qualified + name);
    }
    depth += std::ranges::count(line, '{') - std::ranges::count(line, '}');
    while (!namespaces.empty() && depth <= namespaces.back().first) namespaces.pop_back();
  }
}

TEST(Names, EveryClassHasAQualifiedNameOfItsOwn) {
  std::map<std::string, std::set<std::string>> files;
  for (const SourceFile& file : cpp_files()) {
    // Tests and benchmarks are programs of their own.
    if (!file.in("src/") && !file.in("include/")) continue;
    for_each_class(file, [&](const std::string& name) { files[name].insert(file.path); });
  }
  EXPECT_GT(files.size(), 500U) << "they are found";
  for (const auto& [name, paths] : files) {
    EXPECT_EQ(paths.size(), 1U) << name << " is defined in " << *paths.begin() << " and in " << *paths.rbegin();
  }
}

TEST(Names, AreFoundWithTheirNamespaces) {
  SourceFile file;
  file.code = {"namespace a::b {",
               "struct Declared;",
               "struct One {",
               "  struct Inner {",
               "  };",
               "};",
               "namespace {",
               "class Hidden {",
               "};",
               "}",
               "enum class Two : int {",
               "};",
               "class Three final : public One {",
               "};",
               "}"};
  std::vector<std::string> names;
  for_each_class(file, [&](const std::string& name) { names.push_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"a::b::One", "a::b::Two", "a::b::Three"}));
}

}  // namespace
}  // namespace firstcome::house
