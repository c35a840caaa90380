// Real PostgreSQL and MariaDB servers for tests: on free ports, in temporary folders, stopped when the test ends.
//
// Make them on the test's main thread: a server dies with the thread that started it.
#pragma once

#include "support/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// At the start of a test that needs one: a skip where it is not installed, a failure where all must run.
#define FIRSTCOME_NEEDS_SQL(Server)                                                                                 \
  if (!Server::is_installed()) {                                                                                    \
    if (::firstcome::testing::all_is_required()) FAIL() << #Server " cannot start; ./run deps installs what it is"; \
    GTEST_SKIP() << #Server " IS NOT TESTED: it is not installed; ./run deps installs it";                          \
  }                                                                                                                 \
  static_assert(true)

namespace firstcome::testing {

/// What a commit waits for.
enum class Sync : std::uint8_t {
  by_the_system,   ///< nothing: tests lose no power
  at_each_commit,  ///< as a shop's database does, and as is fair where speed is compared; with a shop's buffers (128
                   ///< MB)
};

/// What the two have in common. The user is `shop`, the password `secret`, the database `shop`.
class SqlTestServer {
 public:
  virtual ~SqlTestServer();
  SqlTestServer(const SqlTestServer&) = delete;
  SqlTestServer& operator=(const SqlTestServer&) = delete;

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return process_->pid(); }
  /// postgresql://shop:secret@127.0.0.1:PORT/shop
  std::string url() const { return url_at(port_); }
  /// The same through another port, as a proxy's.
  std::string url_at(std::uint16_t port, const std::string& password = "secret") const;
  /// A statement of the administrator's: its rows, each ended by a newline, columns separated by tabs.
  std::string ask(const std::string& statement) const { return ask_in({}, statement); }
  /// The same in a database; empty: the administrator's own.
  virtual std::string ask_in(const std::string& database, const std::string& statement) const = 0;
  std::string log() const;

  /// SIGKILL, of the process that listens. Returns when those that serve its sessions have ended too: one of PostgreSQL
  /// may answer one more request before it sees that.
  void kill();
  /// Again, on the same port.
  void start();
  /// SIGSTOP and SIGCONT, of the process that listens.
  void pause() { process_->signal(SIGSTOP); }
  void resume() { process_->signal(SIGCONT); }

 protected:
  explicit SqlTestServer(std::string scheme);
  virtual ChildOptions command() const = 0;
  std::string run(ChildOptions options) const;
  /// Fills the data folder: by `make` where no test has done it with these programs before, else with a copy of what
  /// that one left, which is quicker. The key names the programs.
  void fill(const std::string& key, const std::function<void()>& make);
  /// Ends it as its administrator would.
  void stop(int signal);
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  const std::string scheme_;
  std::uint16_t port_;
  std::unique_ptr<ChildProcess> process_;
};

class PostgresServer final : public SqlTestServer {
 public:
  /// Throws std::runtime_error, with its log, where it does not start.
  explicit PostgresServer(Sync sync = Sync::by_the_system);
  static bool is_installed();
  std::string ask_in(const std::string& database, const std::string& statement) const override;

 private:
  ChildOptions command() const override;
  const Sync sync_;
};

class MariadbServer final : public SqlTestServer {
 public:
  /// `more`: arguments of the server.
  explicit MariadbServer(Sync sync = Sync::by_the_system, std::vector<std::string> more = {});
  static bool is_installed();
  std::string ask_in(const std::string& database, const std::string& statement) const override;

 private:
  void install();
  ChildOptions command() const override;
  const Sync sync_;
  const std::vector<std::string> more_;
};

}  // namespace firstcome::testing
