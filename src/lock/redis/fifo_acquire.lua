#!lua
-- Asks for the lock, or for a place in its queue.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 lease ms, 6 'wait' or 'once', 7 claim ms,
--         8 waiter lease ms, 9 keep ms, 10 most waiters, 11 'first' or 'again' (sent before, and not answered),
--         12 the owner in my place, if it is another; granted to it, it is granted to me
--   Reply: outcome, last token, ms left of the present grant, my ticket, waiters before me, whether I have it for sure
--          (and not as a claim, which has still to be passed on to the owner in my place), a grant to this process; or,
--          where it was free and is mine for all of the lease: the token alone
-- Keeps: nobody passes a ticket that waits; who asks again has the effect of the first time and no other.
--@ key
--@ clock
local process, inbox, trust, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
--@ state
local given_up = noted ~= 0 and call('HGET', key, 'f' .. process)
given_up = given_up and tonumber(string.match(given_up, '^%d+'))
local me = process .. ':' .. number
local grant = false
local changed = false
local outcome, ticket, before, mine

if owner ~= '' or head < tail then
  --@ end_lapsed
  if owner == '' and head < tail then
    --@ grant_next
    changed = false
  end
  if ARGV[12] and owner == ARGV[12] then
    outcome, ticket, before = 'granted', head, 0
  elseif ARGV[11] == 'again' then
    if owner == me then
      outcome, ticket, before = 'granted', head, 0
      grant = false
    else
      mine = tonumber(call('HGET', key, 'o' .. me))
    end
  end
end

if outcome then
  -- it is mine already
elseif mine then
  outcome, ticket, before = 'queued', mine, math.min(mine - head, waiting) - 1
  call('HSET', key, 'p' .. process, now + ARGV[8])
elseif given_up and tonumber(number) <= given_up then
  outcome, ticket, before = 'refused', 0, 0
elseif owner == '' and head == tail then
  --@ mint
  tail = tail + 1
  head = tail
  owner = ARGV[12] or me
  length = tonumber(ARGV[5])
  till = now + length
  sure = 1
  local need, keep = till, ARGV[9]
  --@ save_and_keep
  return token
elseif ARGV[6] == 'once' then
  outcome, ticket, before = 'busy', 0, waiting
elseif waiting >= tonumber(ARGV[10]) then
  outcome, ticket, before = 'full', 0, waiting
else
  tail = tail + 1
  waiting = waiting + 1
  outcome, ticket, before = 'queued', tail, waiting - 1
  call('HSET', key, 'w' .. tail, me .. ' ' .. ARGV[7], 'o' .. me, tail, 'p' .. process, now + ARGV[8])
end

if outcome == 'queued' then
  local need, keep = now + ARGV[5], ARGV[9]
  --@ save_and_keep
elseif changed then
  --@ save
end
--@ left
return {outcome, token, left, ticket, before, sure, grant}
