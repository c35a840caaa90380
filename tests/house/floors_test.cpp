// Who may include what: a floor includes only what stands below it, and a library is included only where it is at home.
#include "house/sources.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

namespace firstcome::house {
namespace {

/// From the ground up; see DESIGN in ARCHITECTURE.md.
constexpr std::array floors{"sale", "net", "lock", "engine", "payment", "events", "api", "rush", "cli"};

int height_of(std::string_view floor) {
  const auto found = std::ranges::find(floors, floor);
  return found == floors.end() ? -1 : static_cast<int>(found - floors.begin());
}

std::string at(const SourceFile& file, const Include& include) {
  return file.path + ":" + std::to_string(include.line) + ": " + include.what;
}

/// <vector>, <cstdint>: one lower-case word. C headers of the system, such as <fcntl.h>, are not among them.
bool is_standard(const std::string& include) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return include.starts_with('<') && include.ends_with('>') &&
         std::all_of(include.begin() + 1, include.end() - 1, is_letter);
}

bool is_public_header(const std::string& include) { return include.starts_with("<firstcome/"); }

TEST(Floors, EveryFolderOfTheSourcesIsAKnownFloor) {
  for (const SourceFile& file : cpp_files()) {
    if (file.in("src/")) {
      EXPECT_GE(height_of(file.floor()), 0) << file.path << " stands on no floor";
    }
  }
}

TEST(Floors, IncludeOnlyWhatStandsBelow) {
  for (const SourceFile& file : cpp_files()) {
    if (!file.in("src/")) continue;
    const int height = height_of(file.floor());
    for (const Include& include : includes_of(file)) {
      if (include.what.front() != '"') continue;
      const std::string target = include.what.substr(1, include.what.find('/') - 1);
      const int below = height_of(target);
      EXPECT_GE(below, 0) << at(file, include) << ": name the floor, as in \"sale/ledger.hpp\"";
      EXPECT_LE(below, height) << at(file, include) << ": " << target << " stands above " << file.floor();
    }
  }
}

TEST(Floors, PublicHeadersNeedTheStandardLibraryOnly) {
  for (const SourceFile& file : cpp_files()) {
    if (!file.in("include/")) continue;
    const bool of_asio = file.path == "include/firstcome/asio.hpp";  // for those who have it anyway
    for (const Include& include : includes_of(file)) {
      const bool asio = of_asio && include.what.starts_with("<boost/asio/");
      EXPECT_TRUE(asio || is_standard(include.what) || is_public_header(include.what)) << at(file, include);
    }
  }
}

TEST(Floors, TheLedgerNeedsTheStandardLibraryOnly) {
  for (const SourceFile& file : cpp_files()) {
    if (!file.in("src/sale/")) continue;
    for (const Include& include : includes_of(file)) {
      const bool ours = include.what.starts_with("\"sale/") || is_public_header(include.what);
      EXPECT_TRUE(ours || is_standard(include.what)) << at(file, include) << ": the ledger is pure";
    }
  }
}

TEST(Floors, TheLedgerReadsNoClockAndDrawsNoNumber) {
  const std::set<std::string> impure{"<random>",     "<thread>",  "<mutex>",
                                     "<atomic>",     "<fstream>", "<iostream>",
                                     "<filesystem>", "<future>",  "<condition_variable>"};
  for (const SourceFile& file : cpp_files()) {
    if (!file.in("src/sale/")) continue;
    for (const Include& include : includes_of(file)) {
      EXPECT_FALSE(impure.contains(include.what)) << at(file, include) << ": the ledger is a state machine without I/O";
    }
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      EXPECT_EQ(file.code[i].find("::now()"), std::string::npos)
          << file.path << ":" << i + 1 << ": the ledger is told the time";
    }
  }
}

TEST(Floors, LibrariesStayWhereTheyAreAtHome) {
  struct Home {
    std::string_view include;
    std::vector<std::string_view> folders;
    std::string_view advice;
  };
  const std::vector<Home> homes{
      {"<boost/beast", {"src/net/"}, "speak HTTP through net/http_server.hpp or net/http_client.hpp"},
      {"<sqlite3.h>", {"src/engine/embedded/", "tests/", "bench/"}, "ask the engine"},
      {"<openssl/",
       {"src/net/", "src/lock/", "src/engine/", "tests/"},
       "ids and hashes are made in engine/reservation_id.hpp and lock/identity.hpp"},
      {"<hiredis/", {"src/net/", "tests/"}, "talk to Redis through net/redis/client.hpp"},
      {"<soci/", {"src/engine/sql/", "tests/", "bench/"}, "speak SQL through engine/sql/sql_session.hpp"},
      {"<librdkafka/",
       {"src/net/", "tests/", "bench/"},
       "talk to Kafka through net/kafka/producer.hpp and consumer.hpp"},
      {"<prometheus/", {"src/api/"}, "keep a plain counter and let api/ show it"},
      {"<CLI/", {"src/cli/"}, "options are read in cli/ and passed down as a struct"},
      {"<sys/epoll.h>", {"src/net/", "src/rush/", "tests/", "bench/"}, "use net/http_server.hpp"},
      {"<benchmark/", {"bench/"}, "benchmarks are in bench/"},
      {"<yaml-cpp/", {"tests/"}, "YAML is read by tests only"},
  };
  for (const SourceFile& file : cpp_files()) {
    for (const Include& include : includes_of(file)) {
      for (const Home& home : homes) {
        if (!include.what.starts_with(home.include)) continue;
        const bool at_home = std::ranges::any_of(home.folders, [&](auto folder) { return file.in(folder); });
        EXPECT_TRUE(at_home) << at(file, include) << " is not at home here; " << home.advice;
      }
    }
  }
}

TEST(Floors, AsioAndBeastAreCompiledOnce) {
  std::map<std::string, int> compiled;
  for (const SourceFile& file : cpp_files()) {
    for (const Include& include : includes_of(file)) {
      if (include.what.ends_with("src.hpp>")) ++compiled[include.what];
    }
  }
  for (const auto& [what, times] : compiled) EXPECT_EQ(times, 1) << what;
}

TEST(Floors, TestsMirrorTheSources) {
  for (const SourceFile& file : cpp_files()) {
    if (!file.in("tests/") || !file.has_extension("_test.cpp") || height_of(file.floor()) < 0) continue;
    const std::string mirrored = "src/" + file.path.substr(std::string_view("tests/").size());
    const std::filesystem::path folder = std::filesystem::path(mirrored).parent_path();
    EXPECT_TRUE(std::filesystem::is_directory(project_folder() / folder))
        << file.path << " tests what is in " << folder << ", which is not there";
  }
}

TEST(Floors, HeadersHaveAGuard) {
  for (const SourceFile& file : cpp_files()) {
    if (!file.has_extension(".hpp")) continue;
    const bool guarded = std::ranges::any_of(file.code, [](const auto& line) { return line == "#pragma once"; });
    EXPECT_TRUE(guarded) << file.path << " has no #pragma once";
  }
}

}  // namespace
}  // namespace firstcome::house
