-- What the scripts of permits share (read-write locks and semaphores); it stands in each of them, after its first line.
--
-- A capacity, a weight per waiter, many holders; one queue, strictly in the order of arrival: the head is granted as
-- long as it fits, and nobody passes it.
--
-- KEYS[1]: a hash. Its fields:
--   s            the state below, packed
--   h<owner>     who holds: "TOKEN WEIGHT SURE"; SURE is 0 while the grant is a claim
--   w<ticket>    who waits: "OWNER CLAIM_MS WEIGHT"
--   o<owner>, p<process>, f<process>: as fifo_common.lua says; likewise of holes, and of head and tail
-- KEYS[2]: a sorted set, the holders by the server ms at which they end by themselves; and one member, '-', that never
--          ends, so that the key is there for as long as the hash is (a migrating slot refuses half a pair of keys).
--
-- `used` is the sum of all h's weights. It exceeds `capacity` only after that was lowered. A holder whose time is over
-- is taken back when somebody needs the room; until then it cannot renew, and whoever looks does not count it.
--
-- A write comes after everything that can fail has been read.
local call = redis.call
local key, holders = KEYS[1], KEYS[2]

local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = (micros - micros % 1000) / 1000

local capacity = 0  -- 0: nobody has fixed it yet
local declared = 0  -- the capacity that the first caller fixed
local used = 0
local token = 0     -- of the latest grant
local lapse = 0     -- highest token of a grant that ended without a release
local head = 0      -- ticket of the latest grant, or of the latest that was passed over
local tail = 0      -- ticket given last
local kept = 0      -- server ms, until when the keys are known to live
local far = 0       -- server ms, no holder's time ends later
local longest = 0   -- ms, no holder's grant is longer
local waiting = 0   -- how many wait: fields w
local void = 0      -- holders up to this token are none any more (see restore)

local packed = call('HGET', key, 's')
if packed then
  local s = cmsgpack.unpack(packed)
  capacity, declared, used, token, lapse, head, tail = s[1], s[2], s[3], s[4], s[5], s[6], s[7]
  kept, far, longest, waiting, void = s[8], s[9], s[10], s[11], s[12]
end
local indexed = call('ZSCORE', holders, '-')
local changed = false
local more = false  -- the head may fit, and was not looked at yet

local function save()
  if not indexed then
    call('ZADD', holders, '+inf', '-')
    indexed = true
  end
  local state = {capacity, declared, used, token, lapse, head, tail, kept, far, longest, waiting, void}
  call('HSET', key, 's', cmsgpack.pack(state))
  changed = false
end

-- The keys must outlive `need` (server ms) and all holders by at least half of `keep`; they are moved by so much that
-- this is rare. Saves.
local function save_and_keep(need, keep)
  need = math.max(need, far)
  local move = kept - need < keep / 2
  if move then kept = need + keep end
  save()
  if move then
    call('PEXPIREAT', key, kept)
    call('PEXPIREAT', holders, kept)
  end
end

local function process_of(who)
  return string.match(who, '^([^:]+):')
end

-- The second key was lost alone (evicted): nobody knows any more when the holders end, so they have ended. Their fields
-- count no longer, and go with the next sweeps.
local function restore()
  if not packed or indexed then return end
  used = 0
  lapse = token
  void = token
  save()
  if kept > 0 then call('PEXPIREAT', holders, kept) end
end

-- Ms until the next holder ends; 0: the queue may move now.
local function left()
  local soonest = call('ZRANGE', holders, 0, 0, 'WITHSCORES')
  if more or #soonest == 0 or soonest[1] == '-' then return 0 end
  return math.max(tonumber(soonest[2]) - now, 0)
end

-- The field of a holder, as token, weight and whether it is for sure; nothing: it has none.
local function field_of(who)
  local held = call('HGET', key, 'h' .. who)
  if not held then return nil end
  local its_token, weight, sure = string.match(held, '^(%d+) (%d+) (%d)$')
  if tonumber(its_token) <= void then return nil end
  return tonumber(its_token), tonumber(weight), tonumber(sure)
end

-- What it has: its token, weight, 1 if for sure, ms left. Nothing: it has none, or its time is over.
local function holding(who)
  local its_token, weight, sure = field_of(who)
  local till = its_token and tonumber(call('ZSCORE', holders, who) or 0) or 0
  if till <= now then return nil end
  return its_token, weight, sure, till - now
end

-- Takes back the ticket of one who waits. Does not save.
local function leave_queue(who, ticket)
  call('HDEL', key, 'o' .. who, 'w' .. ticket)
  waiting = waiting - 1
  if waiting == 0 then head = tail end
  changed = true
end

-- Acquires of this process up to `number` are refused from now on.
local function note(process, number)
  local before = call('HGET', key, 'f' .. process)
  local highest = before and tonumber(string.match(before, '^%d+')) or 0
  call('HSET', key, 'f' .. process, string.format('%.0f %.0f', math.max(highest, tonumber(number)), now))
end

-- At one grant of 64, what processes left behind goes: 128 fields are looked at, taken at random.
local function sweep()
  if token % 64 ~= 0 or call('HLEN', key) == 1 then return end
  local some = call('HRANDFIELD', key, 128, 'WITHVALUES')
  local over = {}
  for i = 1, #some, 2 do
    local kind, value = string.sub(some[i], 1, 1), some[i + 1]
    if (kind == 'p' and tonumber(value) <= now) or
        (kind == 'f' and now - tonumber(string.match(value, '%d+$')) > 600000) or
        (kind == 'h' and tonumber(string.match(value, '^%d+')) <= void) then
      over[#over + 1] = some[i]
    end
  end
  if #over > 0 then call('HDEL', key, unpack(over)) end
end

local function drop(who, weight)
  used = used - weight
  call('HDEL', key, 'h' .. who)
  call('ZREM', holders, who)
  changed = true
end

-- Takes back what was held for too long. A claim that was not answered: its whole process counts as dead until it is
-- heard of. Bounded: 512 holders.
local function end_lapsed()
  local latest = now + longest
  local later = call('ZRANGEBYSCORE', holders, '(' .. latest, '(+inf', 'LIMIT', 0, 512)
  for i = 1, #later do call('ZADD', holders, latest, later[i]) end  -- the server's clock went back
  local over = call('ZRANGEBYSCORE', holders, '-inf', now, 'LIMIT', 0, 512)
  for i = 1, #over do
    local held = call('HGET', key, 'h' .. over[i])
    local its_token, weight, sure = string.match(held or '0 0 1', '^(%d+) (%d+) (%d)$')
    lapse = math.max(lapse, tonumber(its_token))
    if sure == '0' then call('HDEL', key, 'p' .. process_of(over[i])) end
    drop(over[i], tonumber(weight))
  end
end

-- Grants it, with the next token: that rises also where the keys were lost, unless the clock is behind the last token.
-- Exact in a double until 2255.
local function hold(who, weight, length, sure)
  if token == 0 then lapse = micros - 1 end  -- of older ones nothing is known
  token = math.max(token + 1, micros)
  longest = used == 0 and length or math.max(longest, length)
  used = used + weight
  far = math.max(far, now + length)
  call('ZADD', holders, now + length, who)
  call('HSET', key, 'h' .. who, string.format('%.0f %d %d', token, weight, sure))
end

-- Grants from the head for as long as that fits, and tells them; those whose weight exceeds the capacity, which was
-- lowered, are told to ask again (with token 0). Saves.
--   process  the caller's: its own grants are returned, {NUMBER, token, claim ms, ticket} each, and not sent
--   inbox    what stands before a process in the name of its channel
--   trust    '1': nobody heard the message means that the process is gone
-- Bounded: 512 who wait, or 4,096 holes.
local function grant_next(process, inbox, trust)
  local publish = string.find(inbox, '{', 1, true) and 'SPUBLISH' or 'PUBLISH'
  local grants, alive, steps = {}, {}, 0
  end_lapsed()
  while head < tail and steps < 4096 do
    local waiter = call('HGET', key, 'w' .. (head + 1))
    steps = steps + (waiter and 8 or 1)
    if waiter then
      local who, its_process, number, claim, weight = string.match(waiter, '^(([^:]+):(%d+)) (%d+) (%d+)$')
      weight = tonumber(weight)
      if alive[its_process] == nil then
        local lives = call('HGET', key, 'p' .. its_process)
        alive[its_process] = lives and tonumber(lives) > now
      end
      local too_big = weight > capacity
      if alive[its_process] and not too_big and used + weight > capacity then break end
      call('HDEL', key, 'w' .. (head + 1), 'o' .. who)
      waiting = waiting - 1
      if alive[its_process] then
        local its_token, length = 0, 0
        if not too_big then
          length = tonumber(claim)
          hold(who, weight, length, 0)
          its_token = token
        end
        if its_process == process then
          grants[#grants + 1] = {number, its_token, length, head + 1}
        else
          -- A failure to send is a lost message, which its pulse finds.
          local text = string.format('%s %.0f %d %d', number, its_token, length, head + 1)
          local heard = redis.pcall(publish, inbox .. its_process, text)
          if heard == 0 and trust == '1' then
            if not too_big then drop(who, weight) end
            call('HDEL', key, 'p' .. its_process)
            alive[its_process] = false
          end
        end
      end
    end
    head = head + 1
    if waiting == 0 then head = tail end
  end
  more = steps >= 4096
  save()
  return grants
end
