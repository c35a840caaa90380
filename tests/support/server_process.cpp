#include "support/server_process.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace firstcome::testing {

ServerProcess::ServerProcess(const std::filesystem::path& data, std::vector<std::string> arguments,
                             std::optional<std::uint64_t> open_files)
    : log_(data.string() + ".log") {
  ChildOptions options;
  options.program = firstcome_program();
  options.arguments = {"serve", "--listen", "127.0.0.1:0", "--data", data.string()};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  options.error_log = log_;
  options.open_files = open_files;
  process_ = std::make_unique<ChildProcess>(std::move(options));
  auto line = process_->read_line(std::chrono::seconds{60});
  const std::string prefix = "listening on http://127.0.0.1:";
  if (!line || !line->starts_with(prefix)) throw std::runtime_error("the server did not start:\n" + log());
  port_ = static_cast<std::uint16_t>(std::stoi(line->substr(prefix.size())));
}

std::string ServerProcess::log() const {
  std::ifstream file(log_);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace firstcome::testing
