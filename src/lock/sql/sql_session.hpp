// One connection to an SQL server, and how that server's named locks are spoken to: what PostgreSQL and MariaDB differ
// in. What they share is in sql_locks.cpp.
//
// Why not SOCI, which the rest of this project speaks SQL with: a wait for a lock is a statement that lasts as long as
// the wait. SOCI would hold a thread for each; here a session is a socket among others on one event loop, which needs
// the two libraries' own calls (PQsocket, PQconsumeInput; mysql_send_query, mysql_get_socket).
#pragma once

#include "lock/backend.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::lock {

struct SqlFailure {
  enum class What : std::uint8_t {
    refused,    ///< the server said no to this statement; the session goes on
    taken,      ///< the wait for the lock was too long for the server's own time-out; likewise
    cancelled,  ///< somebody cancelled the statement; likewise
    timed_out,  ///< no answer in time; it may still come, and the session goes on after it
    ended,      ///< the session is over, and with it whatever it held
  };
  What what = What::refused;
  LockFailure failure;
};

/// The first column of the first row of a statement's last result; nothing: NULL, or no row.
using SqlCell = std::optional<std::string>;
using SqlResult = std::expected<SqlCell, SqlFailure>;

/// Not thread-safe; may move from one thread to another. Its end closes the connection.
class SqlSession {
 public:
  virtual ~SqlSession() = default;

  /// Readable when `read` may have something.
  virtual int socket() const = 0;
  /// What the server knows it by, for `cancel_sql`.
  virtual const std::string& id() const = 0;

  /// Does not wait for the answer. Whether it failed is told by `read`.
  virtual void send(const std::string& statements) = 0;
  /// When the socket is readable after `send`. Nothing: not all of the answer is here yet.
  virtual std::optional<SqlResult> read() = 0;
  /// When the socket is readable without a statement under way. Why it has ended; nothing: it goes on.
  virtual std::optional<SqlFailure> look() = 0;
};

/// One server, and how its locks are spoken to. Immutable but for what `connect` remembers; any thread.
class SqlServer {
 public:
  virtual ~SqlServer() = default;

  virtual const LockTraits& traits() const = 0;
  /// Connects and prepares the session. Blocks, at most until `limit` and a second.
  virtual std::expected<std::unique_ptr<SqlSession>, LockFailure> connect(BootTime limit) = 0;
  /// What tokens are drawn from is made by the next `connect` if it is not there.
  virtual void forget_the_tokens() = 0;

  // Statements. Each answers with one cell.

  /// What the server knows a name by: safe to stand in a statement, the same for the same name everywhere.
  virtual std::string key_of(const std::string& name) const = 0;
  /// "1": the lock is this session's. Else: somebody else has it.
  virtual std::string try_sql(const std::string& key) const = 0;
  /// Likewise, waiting for `limit` at most.
  virtual std::string wait_sql(const std::string& key, Milliseconds limit) const = 0;
  /// A number higher than all before.
  virtual std::string token_sql() const = 0;
  /// "1": it was this session's, and is free now.
  virtual std::string release_sql(const std::string& key) const = 0;
  /// Frees it if it is this session's.
  virtual std::string reset_sql(const std::string& key) const = 0;
  /// The server ends the session, and the lock, when it hears nothing for `lease` after this or any later statement.
  virtual std::string lease_sql(Milliseconds lease) const = 0;
  /// What the server can do of it: it has a longest time.
  virtual Milliseconds lease_kept(Milliseconds lease) const = 0;
  virtual std::string ping_sql() const = 0;

  /// For another session: ends the statement of session `id`, not the session.
  virtual std::string cancel_sql(const std::string& id) const = 0;
  /// For any session. NULL: free. Else held, and the cell is how many wait, or empty where the server does not say.
  virtual std::string inspect_sql(const std::string& key) const = 0;
};

}  // namespace firstcome::lock
