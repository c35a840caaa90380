#!lua
-- Makes a sale: its terms and its stock, both or neither.
--   KEYS: 1 terms, 2 stock; ARGV: 1 terms, 2 stock
--   Reply: 1, or 0 where it was there.
if redis.call('SET', KEYS[1], ARGV[1], 'NX') then
  redis.call('SET', KEYS[2], ARGV[2])
  return 1
end
return 0
