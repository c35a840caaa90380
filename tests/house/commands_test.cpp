// The commands that people are told to type exist, with the options they are shown with: those of ./run, and those in
// the ```sh blocks of the documentation.
#include "house/sources.hpp"
#include "support/child_process.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace firstcome::house {
namespace {

struct Ran {
  int status = -1;
  std::string output;  ///< standard output and standard error
};

Ran run_shell(const std::string& command) {
  Ran ran;
  const std::string in_project = "cd '" + project_folder().string() + "' && { " + command + " ; } 2>&1 </dev/null";
  FILE* pipe = popen(in_project.c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    ran.output.append(buffer.data(), got);
  }
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word && word != "#" && word != "|" && word != "&&" && word != ">";) {
    words.push_back(word);
  }
  return words;
}

struct Command {
  std::string where;
  std::vector<std::string> words;
};

/// What stands in ```sh blocks: lines joined where they end with a backslash, without a prompt.
std::vector<Command> documented_commands() {
  std::vector<Command> commands;
  for (const SourceFile& file : project_files()) {
    if (!file.has_extension(".md")) continue;
    bool shell = false;
    std::string joined;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::string line = file.lines[i];
      if (line.starts_with("```")) {
        shell = line == "```sh";
        continue;
      }
      if (!shell) continue;
      if (line.starts_with("$ ")) line.erase(0, 2);
      const bool goes_on = line.ends_with('\\');
      if (goes_on) line.pop_back();
      joined += line;
      if (goes_on) continue;
      commands.push_back({file.path + ":" + std::to_string(i + 1), words_of(joined)});
      joined.clear();
    }
  }
  return commands;
}

bool is_option(const std::string& word) { return word.starts_with("--") && word.size() > 2; }

std::string name_of_option(const std::string& word) { return word.substr(0, word.find('=')); }

void expect_options_in(const std::string& help, const Command& command) {
  for (const std::string& word : command.words) {
    if (!is_option(word)) continue;
    EXPECT_NE(help.find(name_of_option(word)), std::string::npos) << command.where << ": there is no option " << word;
  }
}

TEST(Commands, EveryCommandOfRunIsListedAndExplained) {
  const Ran list = run_shell("./run");
  EXPECT_EQ(list.status, 0);
  for (const std::string name :
       {"deps", "build", "demo", "serve", "test", "bench", "compare", "lint", "format", "clean"}) {
    EXPECT_NE(list.output.find("\n  " + name + " "), std::string::npos) << name << " is not listed";
    const Ran help = run_shell("./run help " + name);
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.output.find("./run " + name), std::string::npos) << name << " does not say how it is called";
    EXPECT_EQ(run_shell("./run " + name + " --help").output, help.output);
  }
}

TEST(Commands, RunRefusesWhatItDoesNotKnow) {
  EXPECT_EQ(run_shell("./run nonsense").status, 64);
  EXPECT_EQ(run_shell("./run help nonsense").status, 64);
  EXPECT_EQ(run_shell("./run test nonsense").status, 64);
  EXPECT_EQ(run_shell("./run build nonsense").status, 64);
  EXPECT_EQ(run_shell("./run bench nonsense").status, 64);
  EXPECT_EQ(run_shell("./run lint --nonsense").status, 64);
  EXPECT_EQ(run_shell("./run deps nonsense").status, 64);
}

TEST(Commands, TheDocumentationShowsOnlyCommandsOfRunThatExist) {
  for (const Command& command : documented_commands()) {
    if (command.words.size() < 2 || command.words[0] != "./run") continue;
    const std::string& name =
        command.words[1] == "help" && command.words.size() > 2 ? command.words[2] : command.words[1];
    const Ran help = run_shell("./run help " + name);
    EXPECT_EQ(help.status, 0) << command.where << ": ./run " << name << ": " << help.output;
    // What follows `demo` and `serve` is the program's to explain.
    if (name != "demo" && name != "serve") expect_options_in(help.output, command);
  }
}

/// The documentation writes `firstcome ...`, `./firstcome` or the path it is built at; `./run serve` is `firstcome
/// serve`.
std::optional<std::vector<std::string>> arguments_of_program(const Command& command) {
  std::vector<std::string> words = command.words;
  if (words.empty()) return std::nullopt;
  if (words[0] == "./run" && words.size() > 1 && (words[1] == "serve" || words[1] == "demo"))
    words.erase(words.begin());
  else if (words[0] == "firstcome" || words[0].ends_with("/firstcome"))
    words.erase(words.begin());
  else
    return std::nullopt;
  if (words.empty()) return std::nullopt;
  return words;
}

TEST(Commands, TheDocumentationShowsOnlyOptionsOfTheProgramThatExist) {
  const std::string program = testing::firstcome_program();
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "there is no " << program;
  for (const Command& command : documented_commands()) {
    if (const auto words = arguments_of_program(command)) {
      std::string call = "'" + program + "'";
      // Subcommands come first: `sale create --id ...`.
      for (const std::string& word : *words) {
        const bool is_word = std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
        if (!is_word) break;
        call += " " + word;
      }
      const Ran help = run_shell(call + " --help");
      EXPECT_EQ(help.status, 0) << command.where << ": " << call << ": " << help.output;
      expect_options_in(help.output, {command.where, *words});
    }
  }
}

TEST(Commands, TheReadmeBeginsWithTheTwoCommands) {
  if (!std::filesystem::exists(project_folder() / "README.md")) GTEST_SKIP() << "there is no README.md";
  std::vector<std::string> shown;
  for (const Command& command : documented_commands()) {
    if (command.where.starts_with("README.md:") && command.words.size() == 2 && command.words[0] == "./run") {
      shown.push_back(command.words[1]);
    }
  }
  EXPECT_NE(std::ranges::find(shown, "demo"), shown.end());
  EXPECT_NE(std::ranges::find(shown, "test"), shown.end());
}

}  // namespace
}  // namespace firstcome::house
