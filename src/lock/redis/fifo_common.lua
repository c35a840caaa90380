-- What the scripts of the FIFO lock share, as parts: a line "--@ NAME" stands for the part below "--# NAME". They are
-- no functions, because Redis runs all of a script at each call: each function would be made anew, which costs more
-- than what most calls do.
--
-- KEYS[1]: the hash of one lock. Its fields:
--   s            the state below, packed into one field because that is what a script costs
--   w<ticket>    who waits with it: "OWNER CLAIM_MS"
--   o<owner>     the ticket of that waiter; w and o come and go in pairs
--   p<process>   until when (server ms) a process that waits counts as alive
--   f<process>   "NUMBER MS": acquires of this process up to that number are refused, since copies of them may still
--                come late; and when (server ms) that was noted. None while `noted` is 0
-- An owner is "PROCESS:NUMBER"; or "lease:HASH", where the holder is whoever knows the lease's name (HASH is of it): no
-- process, never a claim, and no waiter. All tickets up to `head` are finished; waiters have tickets in (head, tail]. A
-- ticket in there that was given up is a hole: it has no fields. Where nobody waits, head is tail.
--
-- A write comes after everything that can fail has been read. State that changed is written in one piece.

--# key
local call, key = redis.call, KEYS[1]

--# clock
-- Where it is needed; once.
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = (micros - micros % 1000) / 1000

--# state
local packed = call('HGET', key, 's')
-- Numbers of 8 bytes and a text, which takes the least time of all forms; an array would make a table.
local owner = ''  -- empty: nobody
local till = 0    -- server ms, when the present grant ends by itself
local token = 0   -- of the latest grant
local lapse = 0   -- highest token of a grant that ended without a release
local head = 0    -- ticket of the latest grant, or of the latest that was passed over
local tail = 0    -- ticket given last
local waiting = 0 -- how many wait: fields w
local sure = 1    -- 0: the present grant is a claim
local kept = 0    -- server ms, until when the key is known to live
local length = 0  -- ms of the present grant
local noted = 0   -- 1: there may be fields f
if packed then
  till, token, lapse, head, tail, waiting, sure, kept, length, noted, owner = struct.unpack('<dddddddddds', packed)
end

--# save
local state = struct.pack('<dddddddddds', till, token, lapse, head, tail, waiting, sure, kept, length, noted, owner)
call('HSET', key, 's', state)

--# save_and_keep
-- The key must outlive `need` (server ms) by at least half of `keep`; it is moved by so much that this is rare.
-- A short need never takes from a long lease.
if owner ~= '' and till > need then need = till end
local too_short = kept - need < keep / 2
if too_short then kept = need + keep end
--@ save
if too_short then call('PEXPIREAT', key, kept) end

--# end_lapsed
-- Ends a grant whose time is over; then the state has `changed`. A claim that was not answered: its whole process
-- counts as dead until it is heard of.
if owner ~= '' then
  if till - now > length then  -- the server's clock went back
    till = now + length
    changed = true
  elseif till <= now then
    lapse = token
    if sure == 0 then call('HDEL', key, 'p' .. string.match(owner, '^([^:]+):')) end
    owner = ''
    changed = true
  end
end

--# left
-- Of the present grant, ms; no more than all of it, also where the server's clock went back.
local left = owner ~= '' and math.min(math.max(till - now, 0), length) or 0

--# leave_queue
-- Takes back `ticket`, which waits. Holes at the front of the queue are done with, 512 of them at a time.
call('HDEL', key, 'o' .. me, 'w' .. ticket)
waiting = waiting - 1
if waiting == 0 then
  head = tail
elseif tonumber(ticket) == head + 1 then
  local limit = head + 512
  repeat head = head + 1 until head == limit or call('HEXISTS', key, 'w' .. head + 1) == 1
end

--# note
-- Acquires of this process up to `number` are refused from now on. Does not save.
local noted_before = call('HGET', key, 'f' .. process)
local highest = noted_before and tonumber(string.match(noted_before, '^%d+')) or 0
call('HSET', key, 'f' .. process, string.format('%.0f %.0f', math.max(highest, tonumber(number)), now))
noted = 1

--# sweep
-- At one grant of 64, what processes left behind goes: 128 fields are looked at, taken at random. Does not save.
if token % 64 == 0 and call('HLEN', key) > 1 then
  local some = call('HRANDFIELD', key, 128, 'WITHVALUES')
  local over = {}
  local notes = #some == 256  -- of those that were not looked at nothing is known
  for i = 1, #some, 2 do
    local kind = string.sub(some[i], 1, 1)
    if kind == 'p' and tonumber(some[i + 1]) <= now then over[#over + 1] = some[i] end
    if kind == 'f' then
      if now - tonumber(string.match(some[i + 1], '%d+$')) > 600000 then
        over[#over + 1] = some[i]
      else
        notes = true
      end
    end
  end
  if #over > 0 then call('HDEL', key, unpack(over)) end
  if not notes then noted = 0 end
end

--# mint
-- Rises also where the key was lost, unless the clock is behind the last token. Exact in a double until 2255.
if token == 0 then lapse = micros - 1 end  -- of older ones nothing is known
token = token < micros and micros or token + 1

--# grant_next
-- Gives the lock to the first live ticket and tells it; to nobody where there is none. Saves. A grant to the caller's
-- process is not sent but left in `grant`: {NUMBER, token, claim ms, ticket}.
--   process  the caller's
--   inbox    what stands before a process in the name of its channel
--   trust    '1': nobody heard the message means that the process is gone
-- Bounded: 512 who wait, or 4,096 holes; each is met once in its life.
local publish = string.find(inbox, '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
local alive = {}
local steps = 0
local given = false
owner = ''
while not given and head < tail and steps < 4096 do
  head = head + 1
  local waiter = call('HGET', key, 'w' .. head)
  steps = steps + (waiter and 8 or 1)
  if waiter then
    local ticket = head
    waiting = waiting - 1
    if waiting == 0 then head = tail end
    local who, its_process, number, claim = string.match(waiter, '^(([^:]+):(%d+)) (%d+)$')
    call('HDEL', key, 'w' .. ticket, 'o' .. who)
    if alive[its_process] == nil then
      local lives = call('HGET', key, 'p' .. its_process)
      alive[its_process] = lives and tonumber(lives) > now
    end
    if alive[its_process] then
      --@ mint
      owner = who
      length = tonumber(claim)
      till = now + length
      sure = 0
      given = true
      --@ save
      if its_process == process then
        grant = {number, token, length, ticket}
      else
        -- A failure to send is a lost message, which its pulse finds.
        local text = string.format('%s %.0f %s %.0f', number, token, claim, ticket)
        local heard = redis.pcall(publish, inbox .. its_process, text)
        if heard == 0 and trust == '1' then
          call('HDEL', key, 'p' .. its_process)
          alive[its_process] = false
          owner = ''
          given = false
        end
      end
    end
  end
end
if not given then
  --@ save
end
