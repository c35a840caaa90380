#include "lock/redis/redisson.hpp"

#include "lock/identity.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

using net::RedisCommand;
using net::RedisScript;

// KEYS[1] the lock. ARGV[1] the owner, [2] ms. Replies nil: the owner has it, from now on for at least so long; else
// the ms that are left to whoever has it, -1 without an end. The count is set and not raised: the same request twice
// counts once. A request that comes again, and late, does not shorten what a renewal has given meanwhile.
constexpr const char* acquire_text = R"lua(#!lua
if redis.call('exists', KEYS[1]) == 0 then
  redis.call('hset', KEYS[1], ARGV[1], 1)
  redis.call('pexpire', KEYS[1], ARGV[2])
  return false
end
if redis.call('hexists', KEYS[1], ARGV[1]) == 0 then return redis.call('pttl', KEYS[1]) end
redis.call('pexpire', KEYS[1], ARGV[2], 'GT')
return false
)lua";

// KEYS[1] the lock. ARGV[1] the owner, [2] ms. Prolongs that owner's lock and no other.
constexpr const char* renew_text = R"lua(#!lua flags=allow-oom
if redis.call('hexists', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('pexpire', KEYS[1], ARGV[2])
return 1
)lua";

// KEYS[1] the lock. ARGV[1] the owner, [2] the command that publishes, [3] the channel. Ends that owner's lock and no
// other, and tells those who wait; a message that cannot be published is a lost one.
constexpr const char* release_text = R"lua(#!lua flags=allow-oom
if redis.call('hexists', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('del', KEYS[1])
redis.pcall(ARGV[2], ARGV[3], '0')
return 1
)lua";

// KEYS[1] the lock. Of a read-write lock of theirs, one of its owners.
constexpr const char* inspect_text = R"lua(#!lua flags=no-writes
local owner = false
for _, field in ipairs(redis.call('hkeys', KEYS[1])) do
  if field ~= 'mode' then owner = field end
end
return {owner, redis.call('pttl', KEYS[1])}
)lua";

/// As java.util.UUID writes a random one.
std::string random_uuid() {
  std::string text = random_identity();
  text[12] = '4';
  text[16] = "89ab"[static_cast<unsigned char>(text[16]) % 4U];
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

class Redisson final : public OwnedKey {
 public:
  const LockTraits& traits() const override {
    static constexpr LockTraits all{.kind = "redisson"};
    return all;
  }
  std::string owner(std::uint64_t number) const override { return uuid_ + ":" + std::to_string(number); }
  std::string channel(std::string_view name) const override {
    return "redisson_lock__channel:{" + std::string(name) + "}";
  }

  RedisCommand acquire(std::string_view name, std::string_view owner, Milliseconds lease) const override {
    return RedisCommand(acquire_, {name}, owner, lease.count());
  }
  AcquireReply read(const net::RedisReply& reply, std::string_view) const override {
    if (reply.is_nil()) return Mine{};
    if (!reply.is_integer() || reply.integer < 0) return Taken{};
    return Taken{Milliseconds{reply.integer}};
  }
  RedisCommand renew(std::string_view name, std::string_view owner, Milliseconds length) const override {
    return RedisCommand(renew_, {name}, owner, length.count());
  }
  RedisCommand release(std::string_view name, std::string_view owner, std::string_view publish) const override {
    return RedisCommand(release_, {name}, owner, publish, channel(name));
  }
  RedisCommand inspect(std::string_view name) const override { return RedisCommand(inspect_, {name}); }

 private:
  const std::string uuid_ = random_uuid();
  const RedisScript acquire_{acquire_text};
  const RedisScript renew_{renew_text};
  const RedisScript release_{release_text};
  const RedisScript inspect_{inspect_text};
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_redisson_locks(const net::RedisUrl& url,
                                                                             RedisLockOptions options) {
  return make_owned_key_locks(url, std::make_unique<Redisson>(), std::move(options));
}

}  // namespace firstcome::lock
