// Keeps a second server away from a data folder.
#pragma once

#include <firstcome/outcome.hpp>

#include <expected>
#include <filesystem>

namespace firstcome::engine {

/// Held for life; the kernel lets it go when the process ends, however it ends.
class DataLock {
 public:
  /// Takes `folder/lock`, which must be on a local file system. Fails, at once, when somebody holds it.
  static std::expected<DataLock, Failure> take(const std::filesystem::path& folder);
  ~DataLock();
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace firstcome::engine
