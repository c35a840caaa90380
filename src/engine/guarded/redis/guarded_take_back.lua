#!lua
-- Takes an order back that was not paid: its number stays used. Also what a buyer had only counted, without an order.
--   KEYS: 1 what counts the units, 2 states, 3 customers, 4 keys, 5 units ordered, 6 units unpaid, 7 open orders of customers
--   ARGV: 1 number (0: there is no order), 2 change of the units, 3 customer (empty: nobody counts), 4 quantity,
--         5 idempotency key that is free again (empty: none), 6 the order's state from now on: gone, expired or declined,
--         7 customer whose open orders are counted (empty: nobody counts)
--   Reply: 1; 0 where the order was paid or taken back before, and then nothing is done.
if ARGV[1] ~= '0' then
  if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[6]) == 0 then return 0 end
  redis.call('DECRBY', KEYS[5], ARGV[4])
  redis.call('DECRBY', KEYS[6], ARGV[4])
  if ARGV[7] ~= '' then redis.call('HINCRBY', KEYS[7], ARGV[7], -1) end
end
redis.call('INCRBY', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[3], -ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HDEL', KEYS[4], ARGV[5]) end
return 1
