// A process of a way that is compared: this very program, started with other arguments.
//
// It is asked to stop when its parent dies, however that happens. Make it on a thread that lives as long.
#pragma once

#include "net/http_client.hpp"

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::rush {

struct NodeOptions {
  std::vector<std::string> arguments;                             ///< of this program, as {"serve", ...}
  std::filesystem::path log;                                      ///< its standard error
  std::chrono::milliseconds patience = std::chrono::seconds{20};  ///< for its first line
};

/// Not thread-safe.
class Node {
 public:
  /// Starts it and waits for its first line, which says where: `listening on http://...`. The error is a sentence with
  /// the end of its log.
  static std::expected<std::unique_ptr<Node>, std::string> start(NodeOptions options);
  /// Stops it, and waits.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const net::HttpOrigin& origin() const { return origin_; }
  pid_t pid() const { return pid_; }
  bool is_running() const { return running_; }

  /// Nothing where it has ended. SIGSTOP: returns when it has stopped.
  void signal(int number) noexcept;
  /// SIGTERM, and after ten seconds SIGKILL; waits for its end.
  void stop() noexcept;
  /// SIGKILL, and waits for its end.
  void kill() noexcept;

 private:
  explicit Node(pid_t pid) : pid_(pid) {}
  bool ended_within(std::chrono::milliseconds patience) noexcept;

  pid_t pid_;
  bool running_ = true;
  net::HttpOrigin origin_;
};

/// The last lines of a log, for a sentence about what went wrong. Empty: there are none.
std::string end_of_log(const std::filesystem::path& log);

/// Runs this program to its end, its standard output into `output`. The exit code, 128 + the signal that ended it, or
/// -1 where it took longer than `patience` and was killed, or could not be started.
int run_self(const std::vector<std::string>& arguments, const std::filesystem::path& output,
             std::chrono::milliseconds patience);

}  // namespace firstcome::rush
