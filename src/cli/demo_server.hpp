// The demo's server: `firstcome serve`, the same program, as a child process in a data folder.
//
// The child is asked to stop when its parent dies, however that happens.
#pragma once

#include "net/http_client.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace firstcome::cli {

/// A folder for one run, removed with everything in it; or one that the user named, which stays.
class DemoFolder {
 public:
  /// `named` empty: a temporary one. Throws std::runtime_error where it cannot be made.
  explicit DemoFolder(std::filesystem::path named);
  ~DemoFolder() { remove(); }
  DemoFolder(const DemoFolder&) = delete;
  DemoFolder& operator=(const DemoFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  bool stays() const { return stays_; }
  /// Nothing where it stays.
  void remove() noexcept;

 private:
  std::filesystem::path path_;
  bool stays_;
};

/// Thread safety: `stop` and `wait` from any thread, though only one may wait.
class DemoServer {
 public:
  /// Starts this very program with `arguments` and waits for its line `listening on http://...`.
  /// Throws std::runtime_error where it does not come.
  explicit DemoServer(const std::vector<std::string>& arguments);
  /// Stops it, and waits.
  ~DemoServer();
  DemoServer(const DemoServer&) = delete;
  DemoServer& operator=(const DemoServer&) = delete;

  const net::HttpOrigin& origin() const { return origin_; }

  /// SIGTERM. Returns at once.
  void stop() noexcept;
  /// Until it has ended; its exit code, or 128 + the signal that ended it.
  int wait() noexcept;

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  net::HttpOrigin origin_;
};

}  // namespace firstcome::cli
