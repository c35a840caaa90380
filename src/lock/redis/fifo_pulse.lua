#!lua
-- Shows that a process that waits is alive, and moves on from a holder that is not.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 waiter lease ms, 5 keep ms
--   Reply: 1 if the process was still known (else its waiters must ask again), last token, ms left of the present
--          grant, its owner, whether that is sure, tickets that wait, the latest grant's ticket, a grant to this process
-- Keeps: a process whose claim has just lapsed is told that it is not known.
local process = ARGV[1]
end_lapsed()
local alive = call('HGET', key, 'p' .. process)
local known = alive and tonumber(alive) > now and 1 or 0
call('HSET', key, 'p' .. process, now + tonumber(ARGV[4]))
local grant = false
if owner == '' and head < tail then
  grant = grant_next(process, ARGV[2], ARGV[3])
end
if changed or not packed or kept - math.max(now, till) < tonumber(ARGV[5]) / 2 then
  save_and_keep(now, tonumber(ARGV[5]))
end
return {known, token, left(), owner, sure, tail - head, head, grant}
