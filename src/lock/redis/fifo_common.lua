-- What the scripts of the FIFO lock share, as parts: a line "--@ NAME" stands for the part below "--# NAME". They are
-- no functions, because Redis runs all of a script at each call: each function would be made anew, which costs more
-- than what most calls do.
--
-- KEYS[1]: the hash of one lock. Its fields:
--   s            the state below, packed into one field because that is what a script costs
--   w<ticket>    who waits with it: "OWNER CLAIM_MS"
--   o<owner>     the ticket of that waiter; w and o come and go in pairs
--   p<process>   until when (server ms) a process that waits counts as alive
--   f<process>   the highest number that was given up before the server had seen it; none while `noted` is 0
-- An owner is "PROCESS:NUMBER". All tickets up to `head` are finished; waiters have tickets in (head, tail].
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
local head = 0    -- ticket of the latest grant
local tail = 0    -- ticket given last
local sure = 1    -- 0: the present grant is a claim
local kept = 0    -- server ms, until when the key is known to live
local length = 0  -- ms of the present grant
local noted = 0   -- 1: there may be fields f
if packed then
  till, token, lapse, head, tail, sure, kept, length, noted, owner = struct.unpack('<ddddddddds', packed)
end

--# save
local state = struct.pack('<ddddddddds', till, token, lapse, head, tail, sure, kept, length, noted, owner)
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
-- Of the present grant, ms.
local left = owner ~= '' and math.max(till - now, 0) or 0

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
-- Bounded: 512 tickets; each is met once in its life.
local publish = string.find(inbox, '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
local alive = {}
local steps = 0
local given = false
owner = ''
while not given and head < tail and steps < 512 do
  steps = steps + 1
  head = head + 1
  local waiter = call('HGET', key, 'w' .. head)
  if waiter then
    local who, its_process, number, claim = string.match(waiter, '^(([^:]+):(%d+)) (%d+)$')
    call('HDEL', key, 'w' .. head, 'o' .. who)
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
        grant = {number, token, length, head}
      else
        -- A failure to send is a lost message, which its pulse finds.
        local text = string.format('%s %.0f %s %.0f', number, token, claim, head)
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
