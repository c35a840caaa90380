#include "support/run_program.hpp"

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

#include <fstream>
#include <sstream>
#include <utility>

namespace firstcome::testing {

Ran run_program(std::vector<std::string> arguments, std::vector<std::string> environment, std::chrono::seconds limit) {
  const TemporaryFolder folder;
  ChildOptions options;
  options.program = firstcome_program();
  options.arguments = std::move(arguments);
  options.environment = std::move(environment);
  options.error_log = folder.path() / "error.log";
  ChildProcess program(options);
  Ran ran;
  while (const auto line = program.read_line(limit)) ran.output += *line + "\n";
  ran.code = program.wait(limit).value_or(-1);
  std::ostringstream error;
  error << std::ifstream(options.error_log, std::ios::binary).rdbuf();
  ran.error = error.str();
  return ran;
}

}  // namespace firstcome::testing
