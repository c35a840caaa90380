// A redis-server of the benchmark's own, what it has counted, and the processes of a crowd.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::bench {

struct ServerCounts {
  std::uint64_t scripts = 0;        ///< EVAL and EVALSHA
  std::uint64_t sets = 0;           ///< SET, by clients and inside scripts
  std::uint64_t subscriptions = 0;  ///< SUBSCRIBE and UNSUBSCRIBE
  std::uint64_t others = 0;         ///< by clients and inside scripts; none of those with which clients connect
  double cpu_seconds = 0;
};

/// A process; killed with this object if it still runs.
class Worker {
 public:
  explicit Worker(const std::vector<std::string>& command);
  Worker(Worker&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Worker& operator=(Worker&&) = delete;
  ~Worker();
  /// Throws where it did not end well, or not within a minute.
  void wait();
  bool runs() const;

 private:
  pid_t pid_ = -1;
};

/// On a free port of 127.0.0.1, in a temporary folder. Throws where redis-server does not start.
class LockServer {
 public:
  LockServer();
  ~LockServer();
  LockServer(const LockServer&) = delete;
  LockServer& operator=(const LockServer&) = delete;

  const std::string& url() const { return url_; }
  const std::filesystem::path& folder() const { return folder_; }
  ServerCounts counts() const;

 private:
  bool start(std::uint16_t port);

  std::filesystem::path folder_;
  std::string url_;
  std::vector<Worker> process_;
};

}  // namespace firstcome::bench
