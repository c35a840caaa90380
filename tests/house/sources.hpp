// The files of the project, for tests that look at them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::house {

struct SourceFile {
  std::string path;                ///< from the project's folder, with '/'
  std::vector<std::string> lines;  ///< as written
  std::vector<std::string> code;   ///< the same lines without comments, and without what stands in literals

  /// Whether it lies in `folder`, which ends with '/'.
  bool in(std::string_view folder) const { return path.starts_with(folder); }
  /// The first part of `src/FLOOR/...`, of `tests/FLOOR/...` too; empty elsewhere.
  std::string floor() const;
  bool has_extension(std::string_view extension) const { return path.ends_with(extension); }
};

/// What `#include` names, with its brackets or quotation marks, per line.
struct Include {
  std::size_t line = 0;  ///< from 1
  std::string what;      ///< <vector> or "sale/ledger.hpp"
};

std::filesystem::path project_folder();

/// All text files of the project, without what was built, by path.
const std::vector<SourceFile>& project_files();
/// Those of them in C++, in include/, src/, tests/ and bench/.
std::vector<SourceFile> cpp_files();

std::vector<Include> includes_of(const SourceFile& file);

/// `text` split at newlines.
std::vector<std::string> split_lines(std::string_view text);
/// Lines of C++ without comments; string and character literals are emptied. Lines keep their numbers.
std::vector<std::string> without_comments(const std::vector<std::string>& lines);

}  // namespace firstcome::house
