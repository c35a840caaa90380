// What is not written here, and what is written instead; and how long things may be.
//
// Where a banned thing is right after all, a comment on its line or one of the two before says `allowed: ` and why.
#include "house/sources.hpp"

#include <gtest/gtest.h>
#include <regex.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace firstcome::house {
namespace {

struct Ban {
  std::string pattern;  ///< of code, without comments and what stands in literals
  std::string advice;
  std::vector<std::string> in;      ///< paths that begin so
  std::vector<std::string> except;  ///< but not those
};

const std::vector<Ban>& bans() {
  static const std::vector<Ban> all{
      {R"(std::cout|std::cerr|\bprintf\()",
       "print with fmt::print in cli/ and rush/, else log with spdlog",
       {"src/", "include/"},
       {"src/cli/", "src/rush/"}},
      {R"(std::endl)", "'\\n'; flush where it is meant", {"src/", "include/", "tests/", "bench/"}, {}},
      {R"(system_clock::now)",
       "the instant that the engine's clock gives, passed down as a value",
       {"src/", "include/"},
       {"src/engine/embedded/"}},
      {R"(\b(std::)?(rand|srand)\s*\(|random_shuffle)",
       "a generator that is given its seed",
       {"src/", "tests/", "bench/"},
       {}},
      {R"(random_device)", "a seed that is passed in, so that a run can be repeated", {"src/"}, {}},
      {R"(sleep_for|sleep_until|\busleep\(|\bnanosleep\()",
       "waiting for the condition itself, with a deadline",
       {"src/", "tests/"},
       {"tests/support/"}},
      {R"(\bstd::(regex|sregex_iterator))",
       "a parser of a few lines: std::regex is slow and overflows the stack",
       {"src/", "include/"},
       {}},
      {R"(\bassert\s*\(\s*(false|0)\s*\)\s*;)", "an assertion that says what does not hold", {"src/"}, {}},
      {R"(\bNDEBUG\b)", "assertions that stay on in release", {"src/", "include/", "bench/"}, {}},
      {R"(\b(strcpy|strcat|sprintf|gets|atoi|atol|strtok)\s*\()",
       "std::string, std::from_chars, fmt",
       {"src/", "include/", "tests/", "bench/"},
       {}},
      {R"(\bco_(await|return|yield)\b)",
       "callbacks or a state: this is the path of every request (docs/hot-path.md)",
       {"src/sale/", "src/net/http_server", "src/net/connection", "src/engine/", "src/api/"},
       {}},
      {R"(\]\s*(\([^)]*\))?\s*->\s*[[:alnum:]_:]*(awaitable|Task)<)",
       "a named function with parameters by value: a coroutine outlives the captures of its lambda",
       {"src/", "tests/"},
       {}},
      {R"(co_await[^;]*\[[&=[:alnum:]_, ]*\]\s*[({])",
       "a lambda that is named before the co_await: g++ 12 destroys it twice",
       {"src/", "tests/"},
       {}},
      {R"(\bany_io_executor\b)", "the concrete executor type", {"src/net/"}, {}},
      {R"(using namespace std\s*;)", "std:: where it is used", {"src/", "include/", "tests/", "bench/"}, {}},
      {R"(\bstd::(auto_ptr|bind|format)\b)",
       "unique_ptr, a lambda, fmt::format",
       {"src/", "include/", "tests/", "bench/"},
       {}},
      {R"(([^d]|[^l]d|[^i]ld), DISABLED_)",
       "a test that runs, or none; SuiteChild is what a test starts as a process",
       {"tests/"},
       {"tests/house/"}},
  };
  return all;
}

bool begins_with_one_of(const std::string& path, const std::vector<std::string>& prefixes) {
  return std::ranges::any_of(prefixes, [&](const std::string& prefix) { return path.starts_with(prefix); });
}

bool is_allowed(const SourceFile& file, std::size_t i) {
  const auto says_so = [](const std::string& line) { return line.find("// allowed: ") != std::string::npos; };
  const std::size_t first = i < 2 ? 0 : i - 2;
  return std::any_of(file.lines.begin() + static_cast<std::ptrdiff_t>(first),
                     file.lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, says_so);
}

/// POSIX extended, as glibc reads it; std::regex takes a hundred times as long.
class Pattern {
 public:
  explicit Pattern(const std::string& text) {
    if (regcomp(&compiled_, text.c_str(), REG_EXTENDED) != 0) throw std::invalid_argument("not a pattern: " + text);
  }
  ~Pattern() { regfree(&compiled_); }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  /// What it finds first in `line`; empty: nothing.
  std::string find(const std::string& line) const {
    regmatch_t match{};
    if (regexec(&compiled_, line.c_str(), 1, &match, 0) != 0) return {};
    return line.substr(static_cast<std::size_t>(match.rm_so), static_cast<std::size_t>(match.rm_eo - match.rm_so));
  }

 private:
  regex_t compiled_{};
};

TEST(Habits, WhatIsBannedIsNotWritten) {
  for (const Ban& ban : bans()) {
    const Pattern pattern(ban.pattern);
    for (const SourceFile& file : cpp_files()) {
      if (!begins_with_one_of(file.path, ban.in) || begins_with_one_of(file.path, ban.except)) continue;
      for (std::size_t i = 0; i < file.code.size(); ++i) {
        const std::string found = pattern.find(file.code[i]);
        EXPECT_TRUE(found.empty() || is_allowed(file, i))
            << file.path << ":" << i + 1 << ": '" << found << "' is banned, use " << ban.advice;
      }
    }
  }
}

TEST(Habits, WhatIsLeftToDoIsAnIssue) {
  const Pattern left(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X)\\b");  // split, so that this file passes
  for (const SourceFile& file : project_files()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_EQ(left.find(file.lines[i]), "") << file.path << ":" << i + 1 << ": make it an issue, or do it";
    }
  }
}

/// Every ban, on code that has what it bans: a pattern that finds nothing would go unseen.
TEST(Habits, EveryBanFindsWhatItBans) {
  const std::vector<std::string> examples{"std::cout << 1;",
                                          "<< std::endl;",
                                          "std::chrono::system_clock::now()",
                                          "x = rand();",
                                          "std::random_device d;",
                                          "std::this_thread::sleep_for(1s);",
                                          "std::regex r;",
                                          "assert(false);",
                                          "#ifdef NDEBUG",
                                          "atoi(text)",
                                          "co_return;",
                                          "spawn([this](int x) -> asio::awaitable<void> {",
                                          "co_await run([&](auto t) { t(); });",
                                          "any_io_executor e;",
                                          "using namespace std;",
                                          "std::format(\"\")",
                                          "TEST(A, DISABLED_b)"};
  ASSERT_EQ(examples.size(), bans().size());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    EXPECT_FALSE(Pattern(bans()[i].pattern).find(examples[i]).empty()) << bans()[i].pattern << " in " << examples[i];
  }
}

/// Headers are read more often than written, so they are shorter. A generated or a tabular file has its reason here.
struct Length {
  std::string_view extension;
  std::size_t lines;
};

TEST(Habits, AFileHasOneSubject) {
  for (const SourceFile& file : cpp_files()) {
    EXPECT_LE(file.lines.size(), 450U) << file.path << " is long; is it still one subject?";
    if (file.has_extension(".hpp") && !file.in("tests/")) {
      EXPECT_LE(file.lines.size(), 300U) << file.path << " is long for a header";
    }
  }
}

TEST(Habits, ALineFitsOnAScreen) {
  for (const SourceFile& file : cpp_files()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_LE(file.lines[i].size(), 160U) << file.path << ":" << i + 1;
    }
  }
}

TEST(Habits, NoFileNamesOneMachine) {
  // Split, so that this file passes.
  const Pattern machine(std::string("/wo") + "rk/|/ho" + "me/\\w|/ro" + "ot/|/Us" + "ers/");
  for (const SourceFile& file : project_files()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_EQ(machine.find(file.lines[i]), "") << file.path << ":" << i + 1 << ": " << file.lines[i];
    }
  }
}

TEST(Habits, FilesEndWithANewlineAndHaveNoTabsOrTrailingSpaces) {
  for (const SourceFile& file : project_files()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      EXPECT_TRUE(line.empty() || (line.back() != ' ' && line.back() != '\r')) << file.path << ":" << i + 1;
      EXPECT_EQ(line.find('\t'), std::string::npos) << file.path << ":" << i + 1 << ": a tab";
    }
  }
}

TEST(Habits, CommentsAreNotLookedAtAndCodeIs) {
  const std::vector<std::string> code =
      without_comments({"int a = 1'000; // std::endl", "f(\"std::endl // \\\" \"); g('\"');", "/* one", "two */ h();",
                        "auto r = R\"(x", "y)\" + z;"});
  EXPECT_EQ(code[0], "int a = 1'000; ");
  EXPECT_EQ(code[1], "f(\"\"); g('');");
  EXPECT_EQ(code[2], "");
  EXPECT_EQ(code[3], " h();");
  EXPECT_EQ(code[4], "auto r = \"");
  EXPECT_EQ(code[5], "\" + z;");
}

}  // namespace
}  // namespace firstcome::house
