#include "lock/backend.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/redisson.hpp"
#include "lock/redis/redlock.hpp"
#include "lock/redis/setnx.hpp"
#include "net/redis/url.hpp"

#include <firstcome/open_locks.hpp>

#include <array>
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

Backend make_backend(const net::RedisUrl& url, LockKind kind) {
  if (url.topology == net::RedisUrl::Topology::redlock) return lock::make_redlock_locks(url);
  switch (kind) {
    case LockKind::fifo:
      return lock::make_fifo_locks(url);
    case LockKind::redisson:
      return lock::make_redisson_locks(url);
    case LockKind::setnx:
      return lock::make_setnx_locks(url, lock::SetnxWait::spinning);
    case LockKind::setnx_try:
      return lock::make_setnx_locks(url, lock::SetnxWait::tried_once);
  }
  std::unreachable();
}

}  // namespace

std::optional<LockKind> lock_kind_of(std::string_view word) {
  for (const auto& [known, kind] : words)
    if (known == word) return kind;
  return std::nullopt;
}

std::expected<std::unique_ptr<LockSpace>, std::string> open_locks(std::string_view url, LockKind kind,
                                                                  LockSettings settings) {
  const auto parsed = net::parse_redis_url(url);
  if (!parsed) return std::unexpected(parsed.error());
  auto backend = make_backend(*parsed, kind);
  if (!backend) return std::unexpected(std::move(backend.error()));
  return lock::make_lock_space(std::move(*backend), std::move(settings));
}

}  // namespace firstcome
