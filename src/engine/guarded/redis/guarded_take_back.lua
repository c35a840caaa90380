#!lua
-- Takes an order back whose payment failed: its number stays used. Also what a buyer had only counted, without an order.
--   KEYS: 1 what counts the units, 2 states, 3 customers, 4 keys, 5 units ordered, 6 units unpaid
--   ARGV: 1 number (0: there is no order), 2 change of the units, 3 customer (empty: nobody counts), 4 quantity,
--         5 idempotency key (empty: none)
redis.call('INCRBY', KEYS[1], ARGV[2])
if ARGV[1] ~= '0' then
  redis.call('HSET', KEYS[2], ARGV[1], 'gone')
  redis.call('DECRBY', KEYS[5], ARGV[4])
  redis.call('DECRBY', KEYS[6], ARGV[4])
end
if ARGV[3] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[3], -ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HDEL', KEYS[4], ARGV[5]) end
return 1
