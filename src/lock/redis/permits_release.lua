#!lua flags=allow-oom
-- Gives one grant back, or a part of it, and grants what fits now.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 token, 6 'first' or 'again', 7 the weight that
--         stays (0: none)
--   Reply: 'released', 'lost' or 'unknown', last token, grants to this process
-- Keeps: owner and token must match, so it never ends a later grant. Only a repeated release may have been carried out
-- before. A part may be given back twice: what stays is the same.
local process = ARGV[1]
local me = process .. ':' .. ARGV[4]
local mine, stays = tonumber(ARGV[5]), tonumber(ARGV[7])

restore()
local held = call('HGET', key, 'h' .. me)
local its_token, weight, sure = string.match(held or '0 0 0', '^(%d+) (%d+) (%d)$')
weight = tonumber(weight)

if held and tonumber(its_token) == mine then
  if stays == 0 then
    drop(me, weight)
  elseif not holding(me) then
    return {'lost', token, {}}
  elseif weight > stays then
    used = used - (weight - stays)
    call('HSET', key, 'h' .. me, string.format('%s %d %s', its_token, stays, sure))
  end
  if head < tail then
    local grants = grant_next(process, ARGV[2], ARGV[3])
    return {'released', token, grants}
  end
  save()
  -- Now and then, what processes left behind goes.
  if used == 0 and tail % 64 == 0 and call('HLEN', key) > 1 then
    local fields = call('HKEYS', key)
    for i = 1, #fields do
      if fields[i] ~= 's' then call('HDEL', key, fields[i]) end
    end
  end
  return {'released', token, {}}
end
if ARGV[6] == 'first' or stays > 0 or mine == lapse then return {'lost', token, {}} end
if lapse < mine and mine <= token then return {'released', token, {}} end
return {'unknown', token, {}}
