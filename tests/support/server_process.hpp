// `firstcome serve` as a process of its own, on a free port.
#pragma once

#include "support/child_process.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::testing {

class ServerProcess {
 public:
  /// Starts it on `data` and waits until it is ready. Throws std::runtime_error, with its log, where it does not start.
  explicit ServerProcess(const std::filesystem::path& data, std::vector<std::string> arguments = {},
                         std::optional<std::uint64_t> open_files = std::nullopt);

  std::uint16_t port() const { return port_; }
  ChildProcess& process() { return *process_; }
  std::string log() const;

 private:
  std::filesystem::path log_;
  std::unique_ptr<ChildProcess> process_;
  std::uint16_t port_ = 0;
};

}  // namespace firstcome::testing
