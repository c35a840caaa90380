// Fences: how a resource refuses the late writes of a holder that was paused beyond its lease.
//
// The resource remembers (token, owner) of the last write that it accepted, and refuses a lower token, and an equal one
// from another owner. It must check and write in one step: in one script, in one transaction. Lease::token and
// Lease::owner are what to send.
#pragma once

#include <cstdint>
#include <string_view>

namespace firstcome {

/// Lua for Redis, to be put before a script of yours; where that begins with a line `#!lua`, behind that line, which
/// must stay the first. It defines
///
///   firstcome_fence(key, token, owner)   -- true: accepted and remembered in the hash `key`; false: refused
///
/// with token and owner as text. `key` is one of the script's KEYS, in the slot of what is written. Call it before the
/// script's first write.
std::string_view fence_lua();

/// A whole script: KEYS[1] the fence, ARGV[1] the token, ARGV[2] the owner. Returns 1 for accepted, 0 for refused. Of
/// use alone only where what follows cannot be delayed.
std::string_view fence_script();

enum class SqlDialect : std::uint8_t { sqlite, postgresql, mariadb };

/// Statements, with `?` (PostgreSQL: `$1` to `$3`) for their parameters.
///
/// In ONE transaction with the write that is guarded: `offer`, then `check`, each with (resource, token, owner).
/// `check` gives one row with one number: 1, accepted, now write and commit; 0, refused, roll back. From `offer` on,
/// others who offer for the same resource wait. A transaction that has read before may fail at `offer` instead of being
/// refused: under REPEATABLE READ on PostgreSQL, and on MariaDB from 11.6 on (error 1020). Then start it again.
struct FenceSql {
  std::string_view create;  ///< makes the table where it is not there
  std::string_view offer;
  std::string_view check;
};

const FenceSql& fence_sql(SqlDialect dialect);

}  // namespace firstcome
