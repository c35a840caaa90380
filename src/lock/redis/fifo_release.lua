#!lua flags=allow-oom
-- Ends one grant and hands the lock to the next live waiter.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 token, 6 'first' or 'again'
--   Reply: 'released', 'lost' or 'unknown', last token, a grant to this process; or, where it was released and nobody
--          waited: the token alone
-- Keeps: owner and token must match, so it never ends a later grant. Only a repeated release may have been carried out
-- before; a first one that finds another owner has lost, also where the server has forgotten (a restored older state).
--@ key
--@ state
local process, inbox, trust = ARGV[1], ARGV[2], ARGV[3]
local mine = tonumber(ARGV[5])

if owner == process .. ':' .. ARGV[4] and token == mine then
  if head < tail then
    local grant = false
    --@ clock
    --@ grant_next
    return {'released', token, grant}
  end
  owner = ''
  -- Now and then, what processes left behind goes.
  local fields = tail % 64 == 0 and call('HKEYS', key)
  if fields then noted = 0 end
  --@ save
  if fields then
    for i = 1, #fields do
      if fields[i] ~= 's' then call('HDEL', key, fields[i]) end
    end
  end
  return token
end
if ARGV[6] == 'first' or mine == lapse then return {'lost', token, false} end
if lapse < mine and mine <= token then return {'released', token, false} end
return {'unknown', token, false}
