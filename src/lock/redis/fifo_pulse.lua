#!lua
-- Shows that a process that waits is alive, and moves on from a holder that is not.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 waiter lease ms, 5 keep ms
--   Reply: 1 if the process was still known (else its waiters must ask again), last token, ms left of the present
--          grant, its owner, whether that is sure, how many wait, the latest grant's ticket, a grant to this process,
--          nothing, the last ticket
-- Keeps: a process whose claim has just lapsed is told that it is not known.
--@ key
--@ clock
--@ state
local process, inbox, trust = ARGV[1], ARGV[2], ARGV[3]
local changed = false
--@ end_lapsed
local alive_till = call('HGET', key, 'p' .. process)
local known = alive_till and tonumber(alive_till) > now and 1 or 0
call('HSET', key, 'p' .. process, now + ARGV[4])
local grant = false
if owner == '' and head < tail then
  --@ grant_next
  changed = false
end
if changed or not packed or kept - math.max(now, till) < ARGV[5] / 2 then
  local need, keep = now, ARGV[5]
  --@ save_and_keep
end
--@ left
return {known, token, left, owner, sure, waiting, head, grant, false, tail}
