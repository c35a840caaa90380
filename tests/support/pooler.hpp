// PgBouncer before a PostgreSQL server.
#pragma once

#include "support/child_process.hpp"
#include "support/free_port.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace firstcome::testing {

inline constexpr const char* pooler_program = "/usr/sbin/pgbouncer";

/// For tests that need it: call it at the beginning.
#define FIRSTCOME_NEEDS_POOLER()                                                                             \
  if (access(::firstcome::testing::pooler_program, X_OK) != 0) {                                             \
    ASSERT_FALSE(::firstcome::testing::all_is_required()) << "pgbouncer is missing; ./run deps installs it"; \
    GTEST_SKIP() << "pgbouncer is missing; ./run deps installs it";                                          \
  }                                                                                                          \
  static_assert(true)

/// `mode`: PgBouncer's pool_mode. It listens some time after it was made.
class Pooler {
 public:
  Pooler(const PostgresServer& server, const std::string& mode) {
    const std::string file = (folder_.path() / "pgbouncer.ini").string();
    std::ofstream(file) << "[databases]\n"
                        << "shop = host=127.0.0.1 port=" << server.port() << " user=shop password=secret\n"
                        << "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_ << "\n"
                        << "auth_type = any\nunix_socket_dir =\npool_mode = " << mode
                        << "\n"
                        // Two sessions would not be shared as long as both are asked at once.
                        << (mode == "transaction" ? "default_pool_size = 1\n" : "");
    ChildOptions options;
    options.program = pooler_program;
    options.arguments = {file};
    options.error_log = folder_.path() / "log";
    if (geteuid() == 0) {  // it refuses to run as root
      const passwd* const user = getpwnam("postgres");
      if (user == nullptr || chmod(folder_.path().c_str(), 0755) != 0) throw std::runtime_error("no user postgres");
      options.arguments.insert(options.arguments.begin(), {"-u", "postgres"});
    }
    process_ = std::make_unique<ChildProcess>(std::move(options));
  }

  std::uint16_t port() const { return port_; }

 private:
  TemporaryFolder folder_;
  const std::uint16_t port_ = free_port();
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace firstcome::testing
