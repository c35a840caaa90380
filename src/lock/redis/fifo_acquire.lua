#!lua
-- Asks for the lock, or for a place in its queue.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 lease ms, 6 'wait' or 'once', 7 claim ms,
--         8 waiter lease ms, 9 keep ms, 10 most waiters, 11 'first' or 'again' (sent before, and not answered)
--   Reply: outcome, last token, ms left of the present grant, my ticket, waiters before me, whether I have it for sure,
--          a grant to this process
-- Keeps: nobody passes a ticket that waits; who asks again has the effect of the first time and no other.
local process, inbox, trust, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease, claim, waiter_lease = tonumber(ARGV[5]), ARGV[7], tonumber(ARGV[8])
local keep, bound = tonumber(ARGV[9]), tonumber(ARGV[10])
local me = process .. ':' .. number

local grant = false
end_lapsed()
if owner == '' and head < tail then grant = grant_next(process, inbox, trust) end

local function answer(outcome, ticket, before)
  if changed then save() end
  return {outcome, token, left(), ticket, before, sure, grant}
end

if ARGV[11] == 'again' then
  if owner == me then
    grant = false
    return answer('granted', head, 0)
  end
  local mine = call('HGET', key, 'o' .. me)
  if mine then
    call('HSET', key, 'p' .. process, now + waiter_lease)
    save_and_keep(now + lease, keep)
    return answer('queued', tonumber(mine), mine - head - 1)
  end
end

local given_up = call('HGET', key, 'f' .. process)
if given_up and tonumber(number) <= tonumber(given_up) then return answer('refused', 0, 0) end

if owner == '' and head == tail then
  mint()
  tail = tail + 1
  head = tail
  owner = me
  length = lease
  till = now + lease
  sure = 1
  save_and_keep(till, keep)
  return answer('granted', head, 0)
end

if ARGV[6] == 'once' then return answer('busy', 0, tail - head) end
if tail - head >= bound then return answer('full', 0, tail - head) end

tail = tail + 1
call('HSET', key, 'w' .. tail, me .. ' ' .. claim, 'o' .. me, tail, 'p' .. process, now + waiter_lease)
save_and_keep(now + lease, keep)
return answer('queued', tail, tail - head - 1)
