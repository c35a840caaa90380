#!lua
-- Shows that a process that waits is alive, moves on from holders that are not, and says what messages were lost.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 waiter lease ms, 5 keep ms, from 6 on: the oldest numbers
--         of this process that wait
--   Reply: 1 if the process was still known (else its waiters must ask again), last token, ms until the next holder
--          ends, '', 1, how many wait, latest ticket done with, grants to this process, of the given numbers those
--          that do not wait: {number, token, ms left, whether for sure}; token 0: it must ask again; and the last ticket
-- Keeps: a process whose claim has just lapsed is told that it is not known.
local process = ARGV[1]
restore()
end_lapsed()
local alive = call('HGET', key, 'p' .. process)
local known = alive and tonumber(alive) > now and 1 or 0
call('HSET', key, 'p' .. process, now + tonumber(ARGV[4]))
local grants = {}
if head < tail then grants = grant_next(process, ARGV[2], ARGV[3]) end
if changed or not packed or kept - math.max(now, far) < tonumber(ARGV[5]) / 2 then
  save_and_keep(now, tonumber(ARGV[5]))
end
local found = {}
for i = 6, #ARGV do
  local me = process .. ':' .. ARGV[i]
  local mine, _, sure, time = holding(me)
  if mine then
    found[#found + 1] = {ARGV[i], mine, time, sure}
  elseif call('HEXISTS', key, 'o' .. me) == 0 then
    found[#found + 1] = {ARGV[i], 0, 0, 0}
  end
end
return {known, token, left(), '', 1, waiting, head, grants, found, tail}
