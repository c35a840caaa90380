#!lua flags=allow-oom
-- Leaves the queue, or gives on what was granted meanwhile.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 keep ms
--   Reply: 'left', 'gave' or 'nothing', last token, a grant to this process
-- Keeps: afterwards this number neither has the lock nor waits nor ever will: what was not found may still be lying in
-- a dead connection's buffer, and is refused when it comes. That note may make the key, which must end some day: hence
-- keep.
--@ key
--@ clock
--@ state
local process, inbox, trust = ARGV[1], ARGV[2], ARGV[3]
local me = process .. ':' .. ARGV[4]
local ticket = call('HGET', key, 'o' .. me)

if ticket then
  call('HDEL', key, 'o' .. me, 'w' .. ticket)
  return {'left', token, false}
end
if owner == me then
  local grant = false
  --@ grant_next
  return {'gave', token, grant}
end
local given_up = call('HGET', key, 'f' .. process)
if not given_up or tonumber(given_up) < tonumber(ARGV[4]) then
  call('HSET', key, 'f' .. process, ARGV[4])
  noted = 1
  local need, keep = now, ARGV[5]
  --@ save_and_keep
end
return {'nothing', token, false}
