#!lua flags=allow-oom
-- Leaves the queue, or gives back what was granted meanwhile; and grants what fits now: it may have been the head.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 keep ms, 6 '1': a copy of its acquire may come late
--   Reply: 'left', 'gave' or 'nothing', last token, grants to this process
-- Keeps: afterwards this number neither has permits nor waits nor ever will. Where it was not found, or a copy of its
-- acquire may still lie in the buffer of a dead connection, that is noted, and the copy is refused when it comes.
local process, number = ARGV[1], ARGV[4]
local me = process .. ':' .. number
restore()
local ticket = call('HGET', key, 'o' .. me)
local mine, weight = field_of(me)
local did = 'nothing'

if ticket then
  leave_queue(me, ticket)
  did = 'left'
end
if mine then
  drop(me, weight)
  did = 'gave'
end
if did == 'nothing' or ARGV[6] == '1' then
  note(process, number)
  save_and_keep(now, tonumber(ARGV[5]))
end
local grants = {}
if did ~= 'nothing' and head < tail then grants = grant_next(process, ARGV[2], ARGV[3]) end
if changed then save() end
return {did, token, grants}
