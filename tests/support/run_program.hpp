// The program, run to its end.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace firstcome::testing {

struct Ran {
  int code = -1;  ///< -1: it did not end in time
  std::string output;
  std::string error;
};

/// `environment`: NAME=value, added. `limit`: for each line and for the end. Throws std::runtime_error where it cannot
/// be started.
Ran run_program(std::vector<std::string> arguments, std::vector<std::string> environment = {},
                std::chrono::seconds limit = std::chrono::seconds{180});

}  // namespace firstcome::testing
