#!lua flags=allow-oom
-- Ends one grant and hands the lock to the next live waiter.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 token, 6 'first' or 'again', 7 keep ms,
--         8 '1': a copy of its acquire may come late, 9 the owner, where it is not PROCESS:NUMBER
--   Reply: 'released', 'lost' or 'unknown', last token, a grant to this process; or, where it was released and nobody
--          waited: the token alone
-- Keeps: owner and token must match, so it never ends a later grant. Only a repeated release may have been carried out
-- before; a first one that finds another owner has lost, also where the server has forgotten (a restored older state).
-- A copy of the acquire that may come late is refused then; one that has come gives back its place, or the lock if it
-- was granted: nobody uses its number any more.
--@ key
--@ state
local process, inbox, trust, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local me = ARGV[9] or process .. ':' .. number
local mine = tonumber(ARGV[5])
local is_mine = owner == me and token == mine

if is_mine and head == tail and token % 64 ~= 0 and ARGV[8] ~= '1' then  -- most often
  owner = ''
  --@ save
  return token
end

local outcome = 'unknown'
local grant = false
if is_mine then
  outcome = 'released'
elseif ARGV[6] == 'first' or mine == lapse then
  outcome = 'lost'
elseif lapse < mine and mine <= token then
  outcome = 'released'
end
if not is_mine and ARGV[8] ~= '1' then return {outcome, token, false} end

--@ clock
if ARGV[8] == '1' then
  local ticket = call('HGET', key, 'o' .. me)  -- of a copy that has come
  if ticket then
    --@ leave_queue
  end
  --@ note
end
if owner ~= me then
  local need, keep = now, ARGV[7]
  --@ save_and_keep
else
  --@ sweep
  --@ grant_next
end
return {outcome, token, grant}
