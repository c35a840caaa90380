// Locks on a server, by its URL: the one header to begin with.
//
//   auto space = firstcome::open_locks("redis://127.0.0.1:6379");
//   auto lock = (*space)->lock("nightly-report");
//   firstcome::with_lock(*lock, {.wait = 10s}, [](firstcome::Lease& lease) { ... });     // lock_mutex.hpp
#pragma once

#include <firstcome/lock_space.hpp>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome {

/// How a lock on Redis is kept. Kinds do not know each other: all who share a lock use the same.
enum class LockKind : std::uint8_t {
  fifo,       ///< strictly first come, first served, with fencing tokens; the default. Has read-write locks and
              ///< semaphores as well (lock_shares.hpp)
  redisson,   ///< shared with Java's Redisson (RLock)
  setnx,      ///< SET NX, tried again after random pauses
  setnx_try,  ///< SET NX, tried once
};

/// `fifo`, `redisson`, `setnx` or `setnx-try`; nothing: another word.
std::optional<LockKind> lock_kind_of(std::string_view word);

/// Returns a space of locks at that URL. Connects in the background: a server that is not there is a failure of
/// `acquire`, within `LockSettings::outage_limit`. The error says in one sentence what is wrong with the URL, and never
/// its password.
///
///     redis[s]://[user:password@]host[:6379][/database]
///     redis[s]+sentinel://[user:password@]host[:26379],host,.../master[/database]
///     redis[s]+cluster://[user:password@]host[:6379],host,...
///     postgresql://user[:password]@host[:5432]/database     (one session for each acquisition; whatever the kind)
///     mysql://user[:password]@host[:3306]/database
///     redlock[s]://[user:password@]host[:6379],host,...    (independent servers: Redlock, whatever the kind)
///     redis+unix://[user:password@]/path/of/socket
///
/// Behind a ? a URL of Redis has parameters, percent-encoded: ca_file, cert_file and key_file with TLS, sentinel_user
/// and sentinel_password with sentinels, database with a socket.
std::expected<std::unique_ptr<LockSpace>, std::string> open_locks(std::string_view url, LockKind kind = LockKind::fifo,
                                                                  LockSettings settings = {});

}  // namespace firstcome
