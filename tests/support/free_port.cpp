#include "support/free_port.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

namespace firstcome::testing {
namespace {

constexpr std::uint16_t lowest = 12'000;
constexpr std::uint16_t highest = 31'999;  // Linux takes those of connections from 32768 on
constexpr int attempts = 10'000;

/// Returns a folder that every user may make files in, as in the temporary folder itself.
std::filesystem::path shared_folder() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "firstcome-test-ports";
  if (std::filesystem::create_directory(folder)) {
    std::filesystem::permissions(folder, std::filesystem::perms::all | std::filesystem::perms::sticky_bit);
  }
  return folder;
}

/// Opens the file of a port for reading, which a lock on it needs; makes it where it is missing. -1: an errno says why.
int open_file(const std::filesystem::path& path) {
  // Not made and opened in one: Linux refuses to "make" a file of another user in a folder like /tmp.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0 || errno != ENOENT) return fd;
  const int made = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0666);
  if (made >= 0) ::fchmod(made, 0666);  // whatever the umask
  return made;
}

/// Held by a lock on a file, which ends with this process, however that ends.
bool reserve(std::uint16_t port) {
  const int fd = open_file(shared_folder() / std::to_string(port));
  if (fd < 0 && errno == EEXIST) return false;  // somebody made it meanwhile
  if (fd < 0) throw std::runtime_error("the ports of tests cannot be shared out: " + std::string(std::strerror(errno)));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;  // kept open
  ::close(fd);
  return false;
}

bool can_be_bound(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

}  // namespace

std::uint16_t free_port() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<unsigned> any(lowest, highest);
  for (int i = 0; i < attempts; ++i) {
    const auto port = static_cast<std::uint16_t>(any(random));
    if (can_be_bound(port) && reserve(port)) return port;
  }
  throw std::runtime_error("no port is free");
}

}  // namespace firstcome::testing
