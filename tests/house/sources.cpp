#include "house/sources.hpp"

#include "support/paths.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

namespace firstcome::house {
namespace {

namespace fs = std::filesystem;

constexpr std::array skipped{"build", ".git", ".cache", "node_modules", "demo-data", "firstcome-data"};
constexpr std::array text_extensions{".cpp", ".hpp", ".txt", ".cmake", ".sh",   ".md",   ".json", ".yaml",
                                     ".lua", ".sql", ".js",  ".css",   ".html", ".toml", "",      ".conf"};

bool contains(const auto& range, std::string_view wanted) { return std::ranges::find(range, wanted) != range.end(); }

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<SourceFile> read_project() {
  std::vector<SourceFile> files;
  const fs::path root = project_folder();
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::recursive_directory_iterator(); ++entry) {
    // A work tree of its own has a file where a clone has the folder .git.
    if (contains(skipped, entry->path().filename().string())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && contains(text_extensions, entry->path().extension().string())) {
      SourceFile file;
      file.path = fs::relative(entry->path(), root).generic_string();
      file.lines = split_lines(read(entry->path()));
      file.code = without_comments(file.lines);
      files.push_back(std::move(file));
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

/// Goes through C++ character by character and keeps what is code.
class CommentRemover {
 public:
  std::string line(std::string_view text) {
    std::string kept;
    for (std::size_t at = 0; at < text.size();) at = step(text, at, kept);
    if (inside_ != Inside::block_comment && inside_ != Inside::raw_literal) inside_ = Inside::code;
    return kept;
  }

 private:
  enum class Inside { code, block_comment, raw_literal };

  std::size_t step(std::string_view text, std::size_t at, std::string& kept) {
    if (inside_ != Inside::code) {
      const std::string_view end = inside_ == Inside::block_comment ? "*/" : std::string_view(raw_end_);
      const auto found = text.find(end, at);
      if (found == std::string_view::npos) return text.size();
      if (inside_ == Inside::raw_literal) kept += '"';
      inside_ = Inside::code;
      return found + end.size();
    }
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("//")) return text.size();
    if (rest.starts_with("/*")) {
      inside_ = Inside::block_comment;
      return at + 2;
    }
    if (rest.starts_with("R\"")) {
      const auto open = rest.find('(');
      raw_end_ = ")" + std::string(rest.substr(2, open - 2)) + "\"";
      inside_ = Inside::raw_literal;
      kept += '"';
      return at + open + 1;
    }
    if (rest.front() == '"' && !is_include(text)) return literal(text, at, kept);
    if (rest.front() == '\'' && !is_digit_separator(text, at)) return literal(text, at, kept);
    kept += rest.front();
    return at + 1;
  }

  static bool is_include(std::string_view text) { return text.starts_with("#include"); }

  static bool is_digit_separator(std::string_view text, std::size_t at) {
    return at > 0 && std::isxdigit(static_cast<unsigned char>(text[at - 1])) != 0;
  }

  static std::size_t literal(std::string_view text, std::size_t at, std::string& kept) {
    const char quote = text[at];
    kept += quote;
    for (++at; at < text.size() && text[at] != quote; ++at) {
      if (text[at] == '\\') ++at;
    }
    kept += quote;
    return at + 1;
  }

  Inside inside_ = Inside::code;
  std::string raw_end_;
};

}  // namespace

std::string SourceFile::floor() const {
  for (const std::string_view top : {"src/", "tests/"}) {
    if (in(top)) return path.substr(top.size(), path.find('/', top.size()) - top.size());
  }
  return {};
}

fs::path project_folder() { return testing::project_folder(); }

const std::vector<SourceFile>& project_files() {
  static const std::vector<SourceFile> files = read_project();
  return files;
}

std::vector<SourceFile> cpp_files() {
  std::vector<SourceFile> files;
  for (const SourceFile& file : project_files()) {
    const bool ours = file.in("include/") || file.in("src/") || file.in("tests/") || file.in("bench/");
    if (ours && (file.has_extension(".cpp") || file.has_extension(".hpp"))) files.push_back(file);
  }
  return files;
}

std::vector<Include> includes_of(const SourceFile& file) {
  std::vector<Include> found;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    const std::string& line = file.code[i];
    if (!line.starts_with("#include")) continue;
    const auto open = line.find_first_of("<\"");
    if (open == std::string::npos) continue;
    const auto close = line.find_first_of(">\"", open + 1);
    found.push_back({i + 1, line.substr(open, close - open + 1)});
  }
  return found;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string> without_comments(const std::vector<std::string>& lines) {
  CommentRemover remover;
  std::vector<std::string> code;
  code.reserve(lines.size());
  for (const std::string& line : lines) code.push_back(remover.line(line));
  return code;
}

}  // namespace firstcome::house
