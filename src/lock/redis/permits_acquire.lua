#!lua
-- Asks for permits, or for a place in their queue.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 number, 5 lease ms, 6 'wait' or 'once', 7 claim ms,
--         8 waiter lease ms, 9 keep ms, 10 most waiters, 11 'first' or 'again' (sent before, and not answered),
--         12 weight, 13 the capacity as this caller knows it
--   Reply: outcome, last token, ms left (of my grant, else until the next holder ends), my ticket, waiters before me,
--          whether I have it for sure, grants to this process, my token, the capacity
-- Keeps: nobody passes a ticket that waits; who asks again has the effect of the first time and no other. The capacity
-- is what the first caller said, or what was set since; one who knows neither is wrong, and told so.
local process, inbox, trust, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease, claim, waiter_lease = tonumber(ARGV[5]), ARGV[7], tonumber(ARGV[8])
local keep, bound = tonumber(ARGV[9]), tonumber(ARGV[10])
local again = ARGV[11] == 'again'
local weight, asked = tonumber(ARGV[12]), tonumber(ARGV[13])
local me = process .. ':' .. number
local grants = {}

restore()
local function answer(outcome, time, ticket, before, sure, mine)
  if changed then save() end
  return {outcome, token, time, ticket, before, sure, grants, mine, capacity}
end

if head < tail then
  grants = grant_next(process, inbox, trust)
elseif again then
  end_lapsed()
end

if again then
  local mine, _, sure, time = holding(me)
  if mine then
    for i = #grants, 1, -1 do
      if grants[i][1] == number then table.remove(grants, i) end
    end
    return answer('granted', time, 0, 0, sure, mine)
  end
  local ticket = call('HGET', key, 'o' .. me)
  if ticket and weight <= capacity then
    call('HSET', key, 'p' .. process, now + waiter_lease)
    save_and_keep(now + lease, keep)
    return answer('queued', left(), tonumber(ticket), math.min(ticket - head, waiting) - 1, 0, 0)
  elseif ticket then
    leave_queue(me, ticket)
  end
end

if capacity > 0 and asked ~= capacity and asked ~= declared then return answer('capacity', 0, 0, 0, 0, 0) end
if weight > (capacity > 0 and capacity or asked) then return answer('weight', 0, 0, 0, 0, 0) end

local given_up = call('HGET', key, 'f' .. process)
if given_up and tonumber(number) <= tonumber(string.match(given_up, '^%d+')) then return answer('refused', 0, 0, 0, 0, 0) end

if capacity == 0 then
  capacity = asked
  declared = asked
end
if head == tail then
  if used + weight > capacity then end_lapsed() end
  if used + weight <= capacity then
    tail = tail + 1
    head = tail
    hold(me, weight, lease, 1)
    save_and_keep(now + lease, keep)
    return answer('granted', lease, head, 0, 1, token)
  end
end

if ARGV[6] == 'once' then return answer('busy', left(), 0, waiting, 0, 0) end
if waiting >= bound then return answer('full', left(), 0, waiting, 0, 0) end

tail = tail + 1
waiting = waiting + 1
call('HSET', key, 'w' .. tail, me .. ' ' .. claim .. ' ' .. ARGV[12], 'o' .. me, tail)
call('HSET', key, 'p' .. process, now + waiter_lease)
save_and_keep(now + lease, keep)
return answer('queued', left(), tail, waiting - 1, 0, 0)
