#include "lock/redis/redis_failure.hpp"

#include "lock/event_loop.hpp"

#include <string_view>

namespace firstcome::lock {

namespace {

bool is_one_of(std::string_view code, auto... codes) { return ((code == codes) || ...); }

LockFailure::Kind kind_of_refusal(std::string_view code) {
  using enum LockFailure::Kind;
  if (code == "WRONGTYPE") return wrong_type;
  if (is_one_of(code, "READONLY", "NOREPLICAS", "MISCONF")) return read_only;
  if (is_one_of(code, "NOAUTH", "NOPERM", "WRONGPASS")) return denied;
  return unavailable;  // it answers, but serves nobody now: LOADING, OOM, CLUSTERDOWN, BUSY ...
}

}  // namespace

LockFailure lock_failure(const net::RedisFailure& failure) {
  using enum LockFailure::Kind;
  switch (failure.kind) {
    case net::RedisFailure::Kind::not_sent:
      if (failure.code == "closed") return closed_failure();
      return {failure.is_denied() ? denied : unavailable, failure.detail};
    case net::RedisFailure::Kind::unknown:
    case net::RedisFailure::Kind::timed_out:
      return {broken, failure.detail};
    case net::RedisFailure::Kind::refused:
      break;
  }
  return {kind_of_refusal(failure.code), failure.detail};
}

}  // namespace firstcome::lock
