#include "lock/backend.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/redisson.hpp"
#include "lock/redis/redlock.hpp"
#include "lock/redis/setnx.hpp"
#include "lock/sql/sql_locks.hpp"
#include "net/redis/url.hpp"

#include <firstcome/open_locks.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace firstcome {
namespace {

using Backend = std::expected<std::shared_ptr<lock::LockBackend>, std::string>;

constexpr std::array<std::pair<std::string_view, LockKind>, 4> words{{
    {"fifo", LockKind::fifo},
    {"redisson", LockKind::redisson},
    {"setnx", LockKind::setnx},
    {"setnx-try", LockKind::setnx_try},
}};

Backend on_redis(const net::RedisUrl& url, LockKind kind, std::size_t replicas) {
  if (url.topology == net::RedisUrl::Topology::redlock) return lock::make_redlock_locks(url);
  switch (kind) {
    case LockKind::fifo:
      return lock::make_fifo_locks(url, {.replicas = replicas});
    case LockKind::redisson:
      return lock::make_redisson_locks(url);
    case LockKind::setnx:
      return lock::make_setnx_locks(url, lock::SetnxWait::spinning);
    case LockKind::setnx_try:
      return lock::make_setnx_locks(url, lock::SetnxWait::tried_once);
  }
  std::unreachable();
}

bool has_scheme(std::string_view url, std::initializer_list<std::string_view> schemes) {
  return std::ranges::any_of(schemes, [&](std::string_view scheme) {
    return url.starts_with(scheme) && url.substr(scheme.size()).starts_with("://");
  });
}

Backend make_backend(std::string_view url, LockKind kind, std::size_t replicas) {
  if (replicas != 0 && (kind != LockKind::fifo || !url.starts_with("redis"))) {
    return std::unexpected("only fifo locks on Redis can wait for replicas");
  }
  if (has_scheme(url, {"postgresql", "postgres"})) return lock::make_postgresql_locks(url);
  if (has_scheme(url, {"mysql", "mariadb"})) return lock::make_mariadb_locks(url);
  const auto parsed = net::parse_redis_url(url);
  if (!parsed) return std::unexpected(parsed.error());
  return on_redis(*parsed, kind, replicas);
}

}  // namespace

std::optional<LockKind> lock_kind_of(std::string_view word) {
  for (const auto& [known, kind] : words)
    if (known == word) return kind;
  return std::nullopt;
}

std::expected<std::unique_ptr<LockSpace>, std::string> open_locks(std::string_view url, LockKind kind,
                                                                  LockSettings settings) {
  auto backend = make_backend(url, kind, settings.replicas);
  if (!backend) return std::unexpected(std::move(backend.error()));
  return lock::make_lock_space(std::move(*backend), std::move(settings));
}

}  // namespace firstcome
