#include "lock/redis/setnx.hpp"

#include "lock/identity.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

using net::RedisCommand;
using net::RedisScript;

// KEYS[1] the lock. ARGV[1] the owner. Ends that owner's lock and no other.
constexpr const char* release_text = R"lua(#!lua flags=allow-oom
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('del', KEYS[1])
return 1
)lua";

// KEYS[1] the lock. ARGV[1] the owner, [2] ms. Prolongs that owner's lock and no other.
constexpr const char* renew_text = R"lua(#!lua flags=allow-oom
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('pexpire', KEYS[1], ARGV[2])
return 1
)lua";

constexpr const char* inspect_text = R"lua(#!lua flags=no-writes
return {redis.call('get', KEYS[1]), redis.call('pttl', KEYS[1])}
)lua";

class Setnx final : public OwnedKey {
 public:
  Setnx(LockTraits traits, std::string prefix) : traits_(traits), prefix_(std::move(prefix)) {}

  const LockTraits& traits() const override { return traits_; }
  std::string owner(std::uint64_t number) const override { return identity_ + ":" + std::to_string(number); }
  std::string channel(std::string_view) const override { return {}; }

  RedisCommand acquire(std::string_view name, std::string_view owner, Milliseconds lease) const override {
    return RedisCommand("SET", key_of(name), owner, "NX", "GET", "PX", lease.count());
  }
  AcquireReply read(const net::RedisReply& reply, std::string_view owner) const override {
    if (reply.is_nil()) return Mine{};
    if (reply.text == owner) return Mine{Mine::Since::earlier};
    return Taken{};
  }
  RedisCommand renew(std::string_view name, std::string_view owner, Milliseconds length) const override {
    return RedisCommand(renew_, {key_of(name)}, owner, length.count());
  }
  RedisCommand release(std::string_view name, std::string_view owner, std::string_view) const override {
    return RedisCommand(release_, {key_of(name)}, owner);
  }
  RedisCommand inspect(std::string_view name) const override { return RedisCommand(inspect_, {key_of(name)}); }

 private:
  std::string key_of(std::string_view name) const { return prefix_ + "{" + std::string(name) + "}"; }

  const LockTraits traits_;
  const std::string prefix_;
  const std::string identity_ = random_identity();
  const RedisScript release_{release_text};
  const RedisScript renew_{renew_text};
  const RedisScript inspect_{inspect_text};
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_setnx_locks(const net::RedisUrl& url, SetnxWait wait,
                                                                          RedisLockOptions options) {
  const bool spins = wait == SetnxWait::spinning;
  auto key = make_setnx_key({.kind = spins ? "setnx-spin" : "setnx", .waits = spins}, "firstcome:setnx:");
  return make_owned_key_locks(url, std::move(key), std::move(options));
}

std::unique_ptr<OwnedKey> make_setnx_key(LockTraits traits, std::string prefix) {
  return std::make_unique<Setnx>(traits, std::move(prefix));
}

}  // namespace firstcome::lock
