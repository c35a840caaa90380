#include "cli/time_option.hpp"

#include <map>
#include <string>

namespace firstcome::cli {

CLI::Validator time_in_ms() {
  static const std::map<std::string, std::int64_t> units{{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}};
  const CLI::AsNumberWithUnit with_unit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME");
  return CLI::Validator(
      [with_unit](std::string& text) {
        if (text == "0") return std::string();
        return with_unit(text);
      },
      "TIME");
}

void add_wait_for(CLI::App& command, std::int64_t& wait_for_ms) {
  command
      .add_option(
          "--wait-for", wait_for_ms,
          "How long to wait at start for the servers that are needed, such as 60s; 0: not. One that refuses the "
          "user or password ends the wait, and the program, at once")
      ->transform(time_in_ms())
      ->check(CLI::NonNegativeNumber)
      ->default_str("0");
}

}  // namespace firstcome::cli
