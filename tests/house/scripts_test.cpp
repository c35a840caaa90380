// The scripts of ./run: what they install, and what their pipes may hide.
#include "house/sources.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace firstcome::house {
namespace {

std::vector<SourceFile> scripts() {
  std::vector<SourceFile> found;
  for (const SourceFile& file : project_files()) {
    if (file.has_extension(".sh") || file.path == "run") found.push_back(file);
  }
  return found;
}

/// What a shell prints that runs `command` in the project's folder.
std::string output_of(const std::string& command) {
  FILE* pipe = popen(("cd '" + project_folder().string() + "' && " + command).c_str(), "r");
  if (pipe == nullptr) return "no shell";
  std::string output;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    output.append(buffer.data(), got);
  pclose(pipe);
  return output;
}

/// The packages that `./run deps GROUPS` wants, on a machine that has all of them.
std::string packages_of(const std::string& groups) {
  return output_of(
      "stub=$(mktemp -d) && printf '%s\\n' '#!/bin/sh' 'for last; do :; done; echo \"$last\" >>\"$0.asked\"' "
      "'echo installed' >\"$stub/dpkg-query\" && chmod +x \"$stub/dpkg-query\" && "
      "PATH=$stub:$PATH bash scripts/deps.sh " +
      groups + "; sort \"$stub/dpkg-query.asked\"; rm -r \"$stub\"");
}

TEST(Scripts, AGroupOfDependenciesIsWantedAlone) {
  EXPECT_EQ(packages_of("form"), "clang-format-19\ngit\nshellcheck\n");
  EXPECT_EQ(packages_of("redis bench"), "libbenchmark-dev\nredis-sentinel\nredis-server\n");
  const std::string all = packages_of("all");
  for (const char* package : {"g++\n", "libhiredis-dev\n", "maven\n", "clang-tidy-19\n", "debootstrap\n"}) {
    EXPECT_NE(all.find(package), std::string::npos) << package;
  }
  EXPECT_EQ(packages_of(""), all);
}

TEST(Scripts, NoCommandInstallsMoreThanItNeeds) {
  for (const SourceFile& script : scripts()) {
    for (const std::string& line : script.lines) {
      EXPECT_EQ(line.find("deps.sh all"), std::string::npos) << script.path << ": " << line;
    }
  }
}

/// With `pipefail`, a program that is stopped because nobody reads on makes the whole pipe fail.
TEST(Scripts, NoPipeEndsBeforeItsInput) {
  for (const SourceFile& script : scripts()) {
    for (std::size_t i = 0; i < script.lines.size(); ++i) {
      const std::string& line = script.lines[i];
      for (const char* early : {"| grep -q", "| head", "| sed -n '1p;q"}) {
        EXPECT_EQ(line.find(early), std::string::npos) << script.path << ":" << i + 1 << ": " << line;
      }
    }
  }
}

}  // namespace
}  // namespace firstcome::house
