#!lua
-- Writes what a buyer decided outside: nothing is checked here but the fence.
--   KEYS: 1 stock, 2 fence, 3 orders, 4 customers, 5 keys, 6 units ordered, 7 units unpaid, 8 open orders of
--         customers
--   ARGV: 1 fencing token (empty: none), 2 'set', 'by' or 'leave', 3 the stock's new value or change, 4 the order's row
--         without its head, 5 customer (empty: nobody counts), 6 quantity, 7 idempotency key (empty: none), 8 the stock
--         that was read, 9 'paid' or 'unpaid', 10 customer whose open orders are counted (empty: nobody counts)
--   Reply: the order's number and its time, in ms; -1 where a higher token was seen, and then nothing is written. So too
--   where the stock is not what was read: an earlier holder came late, but before this one's first write.
if ARGV[1] ~= '' then
  local seen = redis.call('GET', KEYS[2])
  if seen and tonumber(seen) > tonumber(ARGV[1]) then return -1 end
  if ARGV[2] == 'set' and redis.call('GET', KEYS[1]) ~= ARGV[8] then return -1 end
  redis.call('SET', KEYS[2], ARGV[1])
end
if ARGV[2] == 'set' then
  redis.call('SET', KEYS[1], ARGV[3])
elseif ARGV[2] == 'by' then
  redis.call('INCRBY', KEYS[1], ARGV[3])
end
-- Numbers and times are given here, so that both rise together.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local row = '\1' .. struct.pack('<I6', now) .. ARGV[4]
if ARGV[5] ~= '' then redis.call('HINCRBY', KEYS[4], ARGV[5], ARGV[6]) end
if ARGV[7] ~= '' then redis.call('HSET', KEYS[5], ARGV[7], row) end
redis.call('INCRBY', KEYS[6], ARGV[6])
if ARGV[9] == 'unpaid' then
  redis.call('INCRBY', KEYS[7], ARGV[6])
  if ARGV[10] ~= '' then redis.call('HINCRBY', KEYS[8], ARGV[10], 1) end
end
return {redis.call('RPUSH', KEYS[3], row), now}
