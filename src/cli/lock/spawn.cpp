#include "cli/lock/spawn.hpp"

#include "net/file_descriptor.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace firstcome::cli {
namespace {

/// As exec takes them. Valid for as long as `texts`.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Prepared {
  char* const* words;
  char* const* environment;
  const sigset_t* signal_mask;
  pid_t parent;
  int failure;  ///< where the child writes its errno; closed by exec
};

/// In the child of a process with many threads: calls nothing that allocates or locks.
[[noreturn]] void become(const Prepared& command) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != command.parent) ::_exit(127);  // it died before the line above
  ::pthread_sigmask(SIG_SETMASK, command.signal_mask, nullptr);
  ::execvpe(command.words[0], command.words, command.environment);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(command.failure, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

std::expected<pid_t, int> spawn(const Spawned& command) {
  const std::vector<char*> words = pointers_to(command.words);
  const std::vector<char*> environment = pointers_to(command.environment);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(errno);
  const net::FileDescriptor failure(ends[0]);
  net::FileDescriptor failing(ends[1]);
  const Prepared prepared{words.data(), environment.data(), &command.signal_mask, ::getpid(), failing.get()};
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(errno);
  if (pid == 0) become(prepared);
  failing.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof error)) return pid;
  ::waitpid(pid, nullptr, 0);
  return std::unexpected(error);
}

}  // namespace firstcome::cli
