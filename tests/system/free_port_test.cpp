// How tests share ports out, between processes and users.
#include "support/free_port.hpp"

#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

namespace firstcome::testing {
namespace {

constexpr uid_t nobody = 65'534;

/// The exit code of a child that becomes another user and asks for ports.
int ports_of_another_user() {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) ::_exit(2);
    try {
      for (int i = 0; i < 100; ++i) free_port();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(FreePort, IsGivenToEveryUserWhoeverAskedFirst) {
  if (::geteuid() != 0) return;  // only root can become another user
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all | std::filesystem::perms::sticky_bit);
  ASSERT_EQ(::setenv("TMPDIR", folder.path().c_str(), 1), 0);
  const mode_t strict = ::umask(077);
  for (int i = 0; i < 100; ++i) free_port();
  ::umask(strict);
  EXPECT_EQ(ports_of_another_user(), 0);
}

}  // namespace
}  // namespace firstcome::testing
