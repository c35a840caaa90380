#!lua flags=allow-oom
-- Leaves the queue, or gives on what was granted meanwhile.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 keep ms, 6 '1': a copy of its acquire may come late
--   Reply: 'left', 'gave' or 'nothing', last token, a grant to this process
-- Keeps: afterwards this number neither has the lock nor waits nor ever will. Where it was not found, or a copy of its
-- acquire may still lie in the buffer of a dead connection, that is noted, and the copy is refused when it comes. The
-- note may make the key, which must end some day: hence keep.
--@ key
--@ clock
--@ state
local process, inbox, trust, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local me = process .. ':' .. number
local ticket = call('HGET', key, 'o' .. me)
local did = 'nothing'
local grant = false

if ticket then
  did = 'left'
  --@ leave_queue
end
if owner == me then did = 'gave' end
if did == 'nothing' or ARGV[6] == '1' then
  --@ note
end
if did == 'gave' then
  --@ grant_next
elseif did == 'left' and noted == 0 then
  --@ save
else
  local need, keep = now, ARGV[5]
  --@ save_and_keep
end
return {did, token, grant}
