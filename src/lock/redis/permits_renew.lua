#!lua flags=allow-oom
-- Prolongs a grant to `lease` from now on, and makes a lease of a claim.
--   ARGV: 1 process, 2 number, 3 token, 4 lease ms, 5 keep ms
--   Reply: ms from now on, 0: lost; last token
-- Keeps: what has ended, even unnoticed, does not come back. The keys outlive the lease.
local me = ARGV[1] .. ':' .. ARGV[2]
local lease = tonumber(ARGV[4])
local mine, weight, sure = holding(me)
if mine and mine == tonumber(ARGV[3]) then
  call('ZADD', holders, now + lease, me)
  if sure == 0 then call('HSET', key, 'h' .. me, string.format('%.0f %d 1', mine, weight)) end
  far = math.max(far, now + lease)
  longest = math.max(longest, lease)
  save_and_keep(now + lease, tonumber(ARGV[5]))
  return {lease, token}
end
return {0, token}
