#!lua flags=allow-oom
-- Leaves the queue, or gives back what was granted meanwhile; and grants what fits now: it may have been the head.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 keep ms
--   Reply: 'left', 'gave' or 'nothing', last token, grants to this process
-- Keeps: afterwards this number neither has permits nor waits nor ever will: what was not found may still be lying in a
-- dead connection's buffer, and is refused when it comes.
local process = ARGV[1]
local me = process .. ':' .. ARGV[4]
restore()
local ticket = call('HGET', key, 'o' .. me)
local held = call('HGET', key, 'h' .. me)
local did = 'nothing'

if ticket then
  call('HDEL', key, 'o' .. me, 'w' .. ticket)
  did = 'left'
elseif held then
  drop(me, tonumber(string.match(held, '^%d+ (%d+)')))
  did = 'gave'
else
  local given_up = call('HGET', key, 'f' .. process)
  if not given_up or tonumber(given_up) < tonumber(ARGV[4]) then
    call('HSET', key, 'f' .. process, ARGV[4])
    save_and_keep(now, tonumber(ARGV[5]))
  end
end
local grants = {}
if did ~= 'nothing' and head < tail then grants = grant_next(process, ARGV[2], ARGV[3]) end
if changed then save() end
return {did, token, grants}
