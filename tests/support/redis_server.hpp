// Real Redis servers for tests: on free ports, in temporary folders, stopped when the test ends.
//
// Make them on the test's main thread: a server dies with the thread that started it.
#pragma once

#include "support/child_process.hpp"
#include "support/free_port.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// At the start of a test that needs redis-server: a skip where it is not installed, a failure where all must run.
#define FIRSTCOME_NEEDS_REDIS()                                                                               \
  if (!::firstcome::testing::redis_is_installed()) {                                                          \
    if (::firstcome::testing::all_is_required()) FAIL() << "redis-server is missing; ./run deps installs it"; \
    GTEST_SKIP() << "REDIS IS NOT TESTED: redis-server is missing; ./run deps installs it";                   \
  }                                                                                                           \
  static_assert(true)

namespace firstcome::testing {

/// The rights of a user for sales and locks, as docs/redis.md has them.
inline constexpr const char* documented_rights =
    "on >secret ~firstcome:* &firstcome:* +@all -@dangerous +config|get +info +role";

bool redis_is_installed();
/// FIRSTCOME_REQUIRE_ALL=1: what is missing is a failure.
bool all_is_required();

/// Asks again and again, with pauses, until it holds; false where it does not in time.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = std::chrono::seconds{20});

/// What a server answered to a test. The elements of an array; else text, also of numbers; "(nil)"; "-..." of an error.
struct RedisAnswer {
  std::string text;
  std::vector<RedisAnswer> elements;
};

/// PEM files of a server that speaks TLS on a second port, and to other servers.
struct RedisTlsFiles {
  std::string certificate;
  std::string key;
  std::string authority;
};

struct RedisServerOptions {
  std::string password = {};                                    ///< for the default user; empty: none
  std::optional<std::uint16_t> port = {};                       ///< nothing: a free one
  std::vector<std::string> lines = {};                          ///< of the configuration, added
  std::vector<std::pair<std::string, std::string>> files = {};  ///< names and contents, put into its folder
  std::vector<std::string> arguments = {};                      ///< of the command, as --sentinel
  std::optional<RedisTlsFiles> tls = {};                        ///< nothing: it speaks none
  std::optional<std::uint16_t> tls_port = {};                   ///< nothing: a free one
};

class RedisServer {
 public:
  /// Starts it and waits until it answers. Throws std::runtime_error, with its log, where it does not.
  explicit RedisServer(RedisServerOptions options = {});

  std::uint16_t port() const { return port_; }
  std::string port_text() const { return std::to_string(port_); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// Where it speaks TLS; 0: nowhere.
  std::uint16_t tls_port() const { return options_.tls_port.value_or(0); }
  /// Where other servers, and clients of several, find it.
  std::uint16_t public_port() const { return options_.tls ? tls_port() : port_; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::string log() const;

  /// SIGKILL.
  void kill() { process_.reset(); }
  /// SIGTERM, and waits.
  void stop();
  /// Again, on the same port, after `kill` or `stop`. Its data are what it has on disk.
  void start();
  bool is_running() const { return process_ != nullptr; }
  pid_t pid() const { return process_->pid(); }
  /// SIGSTOP and SIGCONT.
  void pause() { process_->signal(SIGSTOP); }
  void resume() { process_->signal(SIGCONT); }

  /// A command over a connection of its own, blocking; "-..." where it cannot be reached.
  RedisAnswer command(const std::vector<std::string>& arguments) const;
  std::string text(const std::vector<std::string>& arguments) const { return command(arguments).text; }
  /// A line of INFO, as "role"; empty: there is none.
  std::string info(std::string_view field) const;

 private:
  TemporaryFolder folder_;
  RedisServerOptions options_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

/// A master, a replica, and three sentinels that watch them.
class RedisSentinels {
 public:
  explicit RedisSentinels(std::string password = {}, std::optional<RedisTlsFiles> tls = {});

  static constexpr const char* master_name = "mymaster";
  /// "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"
  std::string addresses() const;
  RedisServer& first() { return *servers_[0]; }   ///< the master at the beginning
  RedisServer& second() { return *servers_[1]; }  ///< its replica
  RedisServer& sentinel(std::size_t index) { return *sentinels_[index]; }
  /// Where the majority says that the master is: a public port.
  std::uint16_t master_port() const;

 private:
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

/// Three masters with a replica each.
class RedisCluster {
 public:
  explicit RedisCluster(const std::optional<RedisTlsFiles>& tls = {});

  std::string addresses() const;
  RedisServer& node(std::size_t index) { return *nodes_[index]; }  ///< 0-2 were masters first, 3-5 their replicas
  std::size_t size() const { return nodes_.size(); }
  /// The node that is the master of a slot.
  RedisServer& owner_of(unsigned slot);
  const std::string& id_of(const RedisServer& node) const;
  /// Begins to move a slot: the source answers ASK for keys that it does not have any more.
  void begin_move(unsigned slot, RedisServer& source, RedisServer& target);
  void move_keys(unsigned slot, RedisServer& source, RedisServer& target);
  /// Moves the keys that are there, and tells all masters the new owner.
  void finish_move(unsigned slot, RedisServer& source, RedisServer& target);

 private:
  std::vector<std::unique_ptr<RedisServer>> nodes_;
  std::vector<std::string> ids_;
};

}  // namespace firstcome::testing
