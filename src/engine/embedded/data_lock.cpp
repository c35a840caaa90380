#include "engine/embedded/data_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace firstcome::engine {

std::expected<DataLock, Failure> DataLock::take(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0)
    return std::unexpected(Failure{FailureCode::store_unavailable,
                                   fmt::format("cannot open {}: {}", path.string(), std::strerror(errno))});
  DataLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK)
    return std::unexpected(Failure{
        FailureCode::store_unavailable,
        fmt::format("another server uses the data folder {}: stop it, or give another folder", folder.string())});
  return std::unexpected(
      Failure{FailureCode::store_unavailable, fmt::format("cannot lock {}: {}", path.string(), std::strerror(errno))});
}

DataLock::~DataLock() {
  if (fd_ >= 0) ::close(fd_);
}

DataLock::DataLock(DataLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DataLock& DataLock::operator=(DataLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace firstcome::engine
