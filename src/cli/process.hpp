// What every long-running subcommand does with its process: signals, open files, the log.
#pragma once

#include "net/http_server.hpp"

#include <string>

namespace firstcome::cli {

/// SIGTERM and SIGINT end `server`'s `run`, until this goes. One at a time in a process.
class StopOnSignals {
 public:
  explicit StopOnSignals(net::HttpServer& server);
  ~StopOnSignals();
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;
};

/// A closed connection and a full disk are answered as errors where they happen.
void ignore_signals();

/// As many open files as the system allows: one per connection.
void raise_open_files();

/// To standard error. `level` as spdlog's.
void start_log(const std::string& level);

}  // namespace firstcome::cli
