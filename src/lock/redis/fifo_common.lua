-- What the scripts of the FIFO lock share; it stands in each of them, after its first line.
--
-- KEYS[1]: the hash of one lock. Its fields:
--   s            the state below, packed into one field because that is what a script costs
--   w<ticket>    who waits with it: "OWNER CLAIM_MS"
--   o<owner>     the ticket of that waiter; w and o come and go in pairs
--   p<process>   until when (server ms) a process that waits counts as alive
--   f<process>   the highest number that was given up before the server had seen it
-- An owner is "PROCESS:NUMBER". All tickets up to `head` are finished; waiters have tickets in (head, tail].
--
-- A write comes after everything that can fail has been read. State that changed is written in one piece.
local call = redis.call
local key = KEYS[1]

local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

local owner = ''  -- empty: nobody
local till = 0    -- server ms, when the present grant ends by itself
local token = 0   -- of the latest grant
local lapse = 0   -- highest token of a grant that ended without a release
local head = 0    -- ticket of the latest grant
local tail = 0    -- ticket given last
local sure = 1    -- 0: the present grant is a claim
local kept = 0    -- server ms, until when the key is known to live
local length = 0  -- ms of the present grant

local packed = call('HGET', key, 's')
if packed then
  local s = cmsgpack.unpack(packed)
  owner, till, token, lapse, head, tail, sure, kept, length = s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9]
end
local changed = false

local function save()
  call('HSET', key, 's', cmsgpack.pack({owner, till, token, lapse, head, tail, sure, kept, length}))
  changed = false
end

-- The key must outlive `need` (server ms) by at least half of `keep`; it is moved by so much that this is rare.
-- A short need never takes from a long lease. Saves.
local function save_and_keep(need, keep)
  need = math.max(need, owner ~= '' and till or 0)
  if kept - need < keep / 2 then
    kept = need + keep
    save()
    call('PEXPIREAT', key, kept)
  else
    save()
  end
end

local function left()
  if owner == '' then return 0 end
  return math.max(till - now, 0)
end

local function process_of(who)
  return string.match(who, '^([^:]+):')
end

-- Ends a grant whose time is over. A claim that was not answered: its whole process counts as dead until it is heard of.
local function end_lapsed()
  if owner == '' then return end
  if till - now > length then  -- the server's clock went back
    till = now + length
    changed = true
  elseif till <= now then
    lapse = token
    if sure == 0 then call('HDEL', key, 'p' .. process_of(owner)) end
    owner = ''
    changed = true
  end
end

-- Rises also where the key was lost, unless the clock is behind the last token. Exact in a double until 2255.
local function mint()
  local first = token == 0
  token = math.max(token + 1, micros)
  if first then lapse = token - 1 end  -- of older ones nothing is known
end

-- Gives the lock to the first live ticket and tells it; to nobody where there is none. Saves.
--   process  the caller's: its own grant is returned, {NUMBER, token, claim ms, ticket}, and not sent
--   inbox    what stands before a process in the name of its channel
--   trust    '1': nobody heard the message means that the process is gone
-- Bounded: 512 tickets; each is met once in its life.
local function grant_next(process, inbox, trust)
  local publish = string.find(inbox, '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
  local alive = {}
  local steps = 0
  while head < tail and steps < 512 do
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
        mint()
        owner = who
        length = tonumber(claim)
        till = now + length
        sure = 0
        save()
        if its_process == process then return {number, token, length, head} end
        -- A failure to send is a lost message, which its pulse finds.
        local text = string.format('%s %.0f %s %.0f', number, token, claim, head)
        local heard = redis.pcall(publish, inbox .. its_process, text)
        if heard ~= 0 or trust ~= '1' then return false end
        call('HDEL', key, 'p' .. its_process)
        alive[its_process] = false
      end
    end
  end
  owner = ''
  save()
  return false
end
