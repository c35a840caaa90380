// What every long-running subcommand does with its process: signals, open files, the log.
#pragma once

#include "net/http_server.hpp"

#include <filesystem>
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

/// What this process makes from now on is for its user alone: folders 0700, files 0600. Warns of files in `data` that
/// others may read: they hold customers' names and what reservation ids are made from.
void make_files_private(const std::filesystem::path& data);

/// To standard error. `level` as spdlog's.
void start_log(const std::string& level);

}  // namespace firstcome::cli
