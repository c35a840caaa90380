#!lua
-- An order that was written unpaid is paid.
--   KEYS: 1 states, 2 units unpaid, 3 open orders of customers
--   ARGV: 1 number, 2 quantity, 3 customer whose open orders are counted (empty: nobody counts), 4 the order's state from
--         now on: 'paid' and what it was paid with
--   Reply: 1; 0 where it was paid or taken back before, and then nothing is done.
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[4]) == 0 then return 0 end
redis.call('DECRBY', KEYS[2], ARGV[2])
if ARGV[3] ~= '' then redis.call('HINCRBY', KEYS[3], ARGV[3], -1) end
return 1
