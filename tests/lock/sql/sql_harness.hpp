// One SQL server for tests of locks, and short ways to get leases there.
#pragma once

#include "lock/lock_contract.hpp"
#include "lock/sql/sql_locks.hpp"
#include "lock/sql/sql_session.hpp"
#include "support/sql_server.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace firstcome::lock::test {

using SqlBackendAt = std::expected<std::shared_ptr<LockBackend>, std::string> (*)(std::string_view url,
                                                                                  const SqlLockOptions& options);

inline std::unique_ptr<LockSpace> sql_space(SqlBackendAt make, const std::string& url, LockSettings settings = {},
                                            const SqlLockOptions& options = {}) {
  auto backend = make(url, options);
  if (!backend) throw std::runtime_error(backend.error());
  return make_lock_space(std::move(*backend), std::move(settings));
}

template <typename Server>
class SqlHarness final : public LockHarness {
 public:
  using TakeAway = bool (*)(const Server& server, const std::string& name);
  SqlHarness(SqlBackendAt how, TakeAway ends) : make_(how), take_away_(ends) {}

  /// Nothing where there is no such server, having said so.
  static std::unique_ptr<LockHarness> make(SqlBackendAt how, TakeAway take_away) {
    if (Server::is_installed()) return std::make_unique<SqlHarness>(how, take_away);
    if (firstcome::testing::all_is_required()) ADD_FAILURE() << "an SQL server is missing; ./run deps installs it";
    return nullptr;
  }

  std::unique_ptr<LockSpace> make_space(const LockSettings& settings) override {
    return sql_space(make_, server_.url(), settings, {.sessions = 64});
  }
  bool take_away(const std::string& name) override { return take_away_(server_, name); }

 private:
  SqlBackendAt make_;
  TakeAway take_away_;
  Server server_;
};

inline Box<Acquired> ask(LockSpace& from, const std::string& name, AcquireOptions options) {
  Box<Acquired> box;
  from.lock(name)->acquire(std::move(options), box.setter());
  return box;
}

inline Lease get(LockSpace& from, const std::string& name, std::optional<Milliseconds> lease = {}) {
  Acquired acquired = ask(from, name, {.wait = patience, .lease = lease}).take();
  if (!acquired) {
    throw std::runtime_error(std::string(text_of(acquired.error().why)) + ": " + acquired.error().detail);
  }
  return std::move(*acquired);
}

}  // namespace firstcome::lock::test
