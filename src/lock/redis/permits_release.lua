#!lua flags=allow-oom
-- Gives one grant back, or a part of it, and grants what fits now.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 token, 6 'first' or 'again', 7 keep ms,
--         8 '1': a copy of its acquire may come late, 9 the weight that stays (0: none)
--   Reply: 'released', 'lost' or 'unknown', last token, grants to this process
-- Keeps: owner and token must match, so it never ends a later grant. Only a repeated release may have been carried out
-- before. A part may be given back twice: what stays is the same. A copy of the acquire that may come late is refused;
-- one that has come gives back its place, or what it was granted: nobody uses its number any more.
local process, number = ARGV[1], ARGV[4]
local me = process .. ':' .. number
local mine, stays = tonumber(ARGV[5]), tonumber(ARGV[9])

restore()
local its_token, weight, sure = field_of(me)
if ARGV[8] == '1' and stays == 0 then
  local ticket = call('HGET', key, 'o' .. me)  -- of a copy that has come
  if ticket then leave_queue(me, ticket) end
  if its_token and its_token ~= mine then drop(me, weight) end
  note(process, number)
  save_and_keep(now, tonumber(ARGV[7]))
end

if its_token == mine then
  if stays == 0 then
    drop(me, weight)
    sweep()
  elseif not holding(me) then
    return {'lost', token, {}}
  elseif weight > stays then
    used = used - (weight - stays)
    call('HSET', key, 'h' .. me, string.format('%.0f %d %d', its_token, stays, sure))
  end
  local grants = {}
  if head < tail then
    grants = grant_next(process, ARGV[2], ARGV[3])
  else
    save()
  end
  return {'released', token, grants}
end

local outcome = 'unknown'
if ARGV[6] == 'first' or stays > 0 or mine == lapse then
  outcome = 'lost'
elseif lapse < mine and mine <= token then
  outcome = 'released'
end
local grants = {}
if ARGV[8] == '1' and stays == 0 and head < tail then grants = grant_next(process, ARGV[2], ARGV[3]) end
return {outcome, token, grants}
