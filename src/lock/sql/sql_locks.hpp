// Locks on SQL servers: PostgreSQL's advisory locks, MariaDB's GET_LOCK.
//
// Mechanism: the lock belongs to a session, so every acquisition that waits or holds has a session of its own, which is
// used again afterwards. The server itself ends a session that says nothing for the length of the lease
// (idle_session_timeout, wait_timeout), and with it the lock; a renewal is any statement. A killed holder's sessions
// are closed by its kernel, which ends its locks at once. Whoever waits has a statement that does not return; the
// server pushes the lock to it. After that, and before the lease is handed out, a token is drawn from
// `firstcome_lock_token`: by then the session had the lock, so tokens rise with every grant, and the lease is dated by
// that statement, not by the wait before. That is a sequence on PostgreSQL, and a table of one row on MariaDB, where
// each grant is therefore a commit (its sequences do not survive a crash).
//
// Statements are sent from one thread that waits for all sockets; a few threads more connect (sql_connector.hpp).
//
// What it needs and what it does not promise:
//  * PostgreSQL 14 or MariaDB 10.3; the right to make `firstcome_lock_token` once in the database of the URL, and
//    to draw from it.
//  * No pooler in between that shares sessions (PgBouncer needs pool_mode = session). PostgreSQL's sessions are marked,
//    so that one that is shared is seen and refused; on MariaDB that is not checked.
//  * Names are hashed (SHA-256): to 64 bits on PostgreSQL, where two names that collide exclude each other, as they do
//    any other program's advisory lock on the same number; to 192 bits on MariaDB. PostgreSQL's locks are per database,
//    MariaDB's per server.
//  * Leases end exactly while the holder's process runs. Of one that is stopped, or cut off, PostgreSQL ends them to
//  the
//    millisecond (but none before 0.1 s, and none lasts longer than 24 days); MariaDB rounds up to whole seconds.
//  * A holder whose session the server ends is told as soon as its connection says so, whatever its lease.
//  * No order among those who wait. Locks are not replicated: a failover forgets them all.
#pragma once

#include "lock/backend.hpp"

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::lock {

struct SqlLockOptions {
  /// Acquisitions that wait or hold, of this backend; one more is `Full`. Each is a connection to the server, which has
  /// a limit for all of its users (PostgreSQL usually 100, MariaDB 151); one more is used for cancelling and looking.
  std::size_t sessions = 48;
  Milliseconds connect_limit{3'000};  ///< for each connection; rounded up to seconds for MariaDB
  Milliseconds request_limit{3'000};  ///< for each statement but the wait
  std::size_t connecting = 4;         ///< threads that connect
};

/// Sends nothing yet: a server that is not there is the answer to an attempt. The error says in one sentence what is
/// wrong with the URL (sql_url.hpp), and never its password.
std::expected<std::shared_ptr<LockBackend>, std::string> make_postgresql_locks(std::string_view url,
                                                                               const SqlLockOptions& options = {});
std::expected<std::shared_ptr<LockBackend>, std::string> make_mariadb_locks(std::string_view url,
                                                                            const SqlLockOptions& options = {});

class SqlServer;

/// For the two above.
std::shared_ptr<LockBackend> make_sql_locks(std::shared_ptr<SqlServer> server, const SqlLockOptions& options);

}  // namespace firstcome::lock
