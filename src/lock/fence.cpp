#include <firstcome/fence.hpp>

#include <cassert>

namespace firstcome {

namespace {

// Tokens have at most 53 bits, which Lua's numbers hold exactly; they are stored as the text that came.
#define FIRSTCOME_FENCE_LUA                                                           \
  "-- Whether the holder of `token` may still write; remembers it if so.\n"           \
  "-- Keeps: the remembered token never falls, and one token has one owner.\n"        \
  "local function firstcome_fence(key, token, owner)\n"                               \
  "  local mine = tonumber(token)\n"                                                  \
  "  if not mine then error('a fencing token is a number') end\n"                     \
  "  local seen = redis.call('HMGET', key, 'token', 'owner')\n"                       \
  "  if seen[1] then\n"                                                               \
  "    local last = tonumber(seen[1])\n"                                              \
  "    if mine < last or (mine == last and seen[2] ~= owner) then return false end\n" \
  "  end\n"                                                                           \
  "  redis.call('HSET', key, 'token', token, 'owner', owner)\n"                       \
  "  return true\n"                                                                   \
  "end\n"

// `offer` leaves the row as it is when it refuses, and locks it either way; `check` sees whose it is.
constexpr FenceSql sqlite{
    .create =
        "CREATE TABLE IF NOT EXISTS firstcome_fence("
        "resource TEXT PRIMARY KEY NOT NULL, token INTEGER NOT NULL, owner TEXT NOT NULL) WITHOUT ROWID",
    .offer =
        "INSERT INTO firstcome_fence(resource, token, owner) VALUES (?, ?, ?) "
        "ON CONFLICT(resource) DO UPDATE SET token = excluded.token, owner = excluded.owner "
        "WHERE excluded.token > firstcome_fence.token",
    .check = "SELECT COUNT(*) FROM firstcome_fence WHERE resource = ? AND token = ? AND owner = ?"};

constexpr FenceSql postgresql{
    .create =
        "CREATE TABLE IF NOT EXISTS firstcome_fence("
        "resource TEXT PRIMARY KEY, token BIGINT NOT NULL, owner TEXT NOT NULL)",
    .offer =
        "INSERT INTO firstcome_fence(resource, token, owner) VALUES ($1, $2, $3) "
        "ON CONFLICT(resource) DO UPDATE SET token = excluded.token, owner = excluded.owner "
        "WHERE excluded.token > firstcome_fence.token",
    .check = "SELECT COUNT(*) FROM firstcome_fence WHERE resource = $1 AND token = $2 AND owner = $3"};

// Assignments are made from left to right here: the owner is decided while the old token is still there. FOR UPDATE
// reads what is there now; else a transaction that has read before would be judged by what it saw then.
constexpr FenceSql mariadb{
    .create =
        "CREATE TABLE IF NOT EXISTS firstcome_fence("
        "resource VARBINARY(512) PRIMARY KEY, token BIGINT NOT NULL, owner VARBINARY(256) NOT NULL) ENGINE=InnoDB",
    .offer =
        "INSERT INTO firstcome_fence(resource, token, owner) VALUES (?, ?, ?) "
        "ON DUPLICATE KEY UPDATE owner = IF(VALUES(token) > token, VALUES(owner), owner), "
        "token = GREATEST(token, VALUES(token))",
    .check = "SELECT COUNT(*) FROM firstcome_fence WHERE resource = ? AND token = ? AND owner = ? FOR UPDATE"};

}  // namespace

std::string_view fence_lua() { return FIRSTCOME_FENCE_LUA; }

std::string_view fence_script() {
  return FIRSTCOME_FENCE_LUA "return firstcome_fence(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0\n";
}

#undef FIRSTCOME_FENCE_LUA

const FenceSql& fence_sql(SqlDialect dialect) {
  switch (dialect) {
    case SqlDialect::sqlite:
      return sqlite;
    case SqlDialect::postgresql:
      return postgresql;
    case SqlDialect::mariadb:
      return mariadb;
  }
  assert(!"no such dialect");
  return sqlite;
}

}  // namespace firstcome
