// Java programs for tests: fetched, and built, by Maven into the build folder, once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace firstcome::testing {

inline constexpr const char* java_program = "/usr/bin/java";

struct MavenBuild {
  std::filesystem::path pom;                     ///< puts what it makes below the property `output`
  std::vector<std::filesystem::path> sources{};  ///< what else it is made from
  std::vector<std::string> goals;
  std::filesystem::path folder;  ///< gets `target`, Maven's `output`; `repository`, what it fetched; and its log
};

/// Runs Maven, unless the same was made there before; one test process at a time. Empty, or why it cannot be done.
/// Cost: the first time up to minutes.
std::string build_with_maven(const MavenBuild& build);

/// All of a file; empty where it is not there.
std::string text_of(const std::filesystem::path& file);

}  // namespace firstcome::testing
