#include "cli/lock/terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace firstcome::cli {

Terminal::Terminal(pid_t job) : job_(job), device_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}

bool Terminal::lend(pid_t group) {
  if (!device_) return false;
  const pid_t foreground = ::tcgetpgrp(device_.get());
  return foreground == group || (foreground == job_ && ::tcsetpgrp(device_.get(), group) == 0);
}

void Terminal::take_back(pid_t group) {
  if (device_ && ::tcgetpgrp(device_.get()) == group) ::tcsetpgrp(device_.get(), job_);
}

}  // namespace firstcome::cli
