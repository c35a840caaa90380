-- Which sales a store has. KEYS[1], a hash, in a slot of its own: 'store' and 'secret' made once, 'last' handle given,
-- 'version' of the list, 's:'ID the handle and the phase of a sale (making, open, erasing), 'e:'ID the version in which
-- its deletion began.
--   ARGV: 1 what, 2 store (empty only for `found`), and
--     found SECRET           makes the store with ARGV[2] where there is none
--     list VERSION           the sales, where the list has another version
--     enter ID               gives a handle to a sale that is to be made
--     phase ID HANDLE PHASE [BEGAN]  PHASE `gone` takes it out; with BEGAN only where its deletion is still that one
--   Reply: store, secret, version, then ids and their entries.  An error: LOST, the store is not there or another.
local key, what, store = KEYS[1], ARGV[1], ARGV[2]
local call = redis.call

local present = call('HGET', key, 'store')
if what == 'found' then
  if not present then call('HSET', key, 'store', store, 'secret', ARGV[3], 'version', 0, 'last', 0) end
elseif not present then
  return redis.error_reply('LOST the store is empty')
elseif present ~= store then
  return redis.error_reply('LOST the store is another one')
end

if what == 'enter' then
  local entry = call('HGET', key, 's:' .. ARGV[3])
  if not entry then
    entry = call('HINCRBY', key, 'last', 1) .. ' making'
    call('HSET', key, 's:' .. ARGV[3], entry)
    call('HINCRBY', key, 'version', 1)
  end
  return {ARGV[3], entry}
end

if what == 'phase' then
  local field, began = 's:' .. ARGV[3], 'e:' .. ARGV[3]
  local entry = call('HGET', key, field)
  if ARGV[6] and ((call('HGET', key, began) or '') ~= ARGV[6] or entry ~= ARGV[4] .. ' erasing') then return 'OK' end
  if entry and entry:match('^%d+') == ARGV[4] then
    if ARGV[5] == 'gone' then
      call('HDEL', key, field)
    else
      call('HSET', key, field, ARGV[4] .. ' ' .. ARGV[5])
    end
    local version = call('HINCRBY', key, 'version', 1)
    if ARGV[5] == 'erasing' then
      call('HSET', key, began, version)
    else
      call('HDEL', key, began)
    end
  end
  return 'OK'
end

local facts = call('HMGET', key, 'store', 'secret', 'version')
if what == 'list' and facts[3] == ARGV[3] then return facts end
local all = call('HGETALL', key)
for i = 1, #all, 2 do
  if all[i]:sub(1, 2) == 's:' then
    facts[#facts + 1] = all[i]:sub(3)
    facts[#facts + 1] = all[i + 1]
  end
end
return facts
