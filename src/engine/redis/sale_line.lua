-- The line of those who wait: all numbers up to `serving` were granted or passed over, those up to `last` wait, but for
-- those who left out of turn. These are bits in 'd'BLOCK of 256 numbers, after their count, and counts in 'D'BLOCK of
-- 65536, so that a position is exact however many leave.
local block_size, blocks_together = 256, 256
local no_bits = string.rep('\0', block_size / 8)

local function block_of(number) return math.floor(number / block_size) end

local function bits_of(block)
  local text = get('d' .. block)
  if not text then return 0, no_bits end
  return parse('<Hc32', text)
end

local function has_left(number)
  local _, bits = bits_of(block_of(number))
  local at = number % block_size
  return bit.band(bits:byte(math.floor(at / 8) + 1), bit.lshift(1, at % 8)) ~= 0
end

local function add_left(number)
  local block = block_of(number)
  local count, bits = bits_of(block)
  local at = number % block_size
  local byte = math.floor(at / 8) + 1
  bits = bits:sub(1, byte - 1) .. string.char(bit.bor(bits:byte(byte), bit.lshift(1, at % 8))) .. bits:sub(byte + 1)
  set('d' .. block, pack('<Hc32', count + 1, bits))
  local together = 'D' .. math.floor(block / blocks_together)
  set(together, tostring((tonumber(get(together)) or 0) + 1))
  s.gone = s.gone + 1
end

local function count_bits(block, first, last)
  local count, bits = bits_of(block)
  if count == 0 then return 0 end
  if first == 0 and last == block_size - 1 then return count end
  count = 0
  for at = first, last do
    if bit.band(bits:byte(math.floor(at / 8) + 1), bit.lshift(1, at % 8)) ~= 0 then count = count + 1 end
  end
  return count
end

-- How many in [first, last] left out of turn.
local function count_left(first, last)
  if s.gone == 0 or first > last then return 0 end
  local first_block, last_block = block_of(first), block_of(last)
  if first_block == last_block then return count_bits(first_block, first % block_size, last % block_size) end
  local total = count_bits(first_block, first % block_size, block_size - 1) + count_bits(last_block, 0, last % block_size)
  local singles, block = {}, first_block + 1
  while block < last_block do
    if block % blocks_together == 0 and block + blocks_together <= last_block then
      total = total + (tonumber(get('D' .. block / blocks_together)) or 0)
      block = block + blocks_together
    else
      singles[#singles + 1] = 'd' .. block
      block = block + 1
    end
  end
  fetch(singles)
  for _, field in ipairs(singles) do
    if raw[field] then total = total + parse('<H', raw[field]) end
  end
  return total
end

local function position_of(number) return number - s.serving - count_left(s.serving + 1, number) end

-- `serving` has moved from `before`: blocks that lie behind it are of no use any more.
local function forget_left(before)
  local from, upto = block_of(before), block_of(s.serving)
  if from == upto then return end
  for block = from, upto - 1 do
    if get('d' .. block) then drop('d' .. block) end
  end
  for together = math.floor(from / blocks_together), math.floor(upto / blocks_together) - 1 do
    if get('D' .. together) then drop('D' .. together) end
  end
end

local function leave_all()
  local before, gone = s.serving, s.gone
  s.waiting, s.serving, s.gone = 0, s.last, 0
  if gone > 0 then forget_left(before) end
end

-- `number`, which waits, does so no longer: granted, refused or gone.
local function leave(number)
  s.waiting = s.waiting - 1
  if s.waiting == 0 then return leave_all() end
  if number ~= s.serving + 1 then return add_left(number) end
  s.serving = number
  if s.gone == 0 then return end
  while has_left(s.serving + 1) do
    s.serving = s.serving + 1
    s.gone = s.gone - 1
  end
  forget_left(number - 1)
end

-- The rate of the last minute: 'g' is the newest second, when counting began, and a count for each of 60 seconds.
local seconds = 60

local function count_grants()
  if grants == 0 or not (t.queue or t.standby == 1) then return end
  local second = math.floor(now / 1000)
  local text = get('g')
  local newest, began, counts = second, now, {}
  if text then
    newest, began = parse('<I6I6', text)
    for i = 0, seconds - 1 do counts[i] = parse('<I4', text, 13 + 4 * i) end
  end
  if not text or second - newest >= seconds then
    for i = 0, seconds - 1 do counts[i] = 0 end
  else
    for at = newest + 1, second do counts[at % seconds] = 0 end
  end
  counts[second % seconds] = counts[second % seconds] + grants
  local parts = {pack('<I6I6', second, began)}
  for i = 0, seconds - 1 do parts[#parts + 1] = pack('<I4', counts[i]) end
  set('g', table.concat(parts))
  grants = 0
end

-- How long that many grants take, in ms; -1: not known.
local function time_for(count)
  count_grants()
  local text = get('g')
  if not text then return -1 end
  local newest, began = parse('<I6I6', text)
  local granted = 0
  for at = math.floor(now / 1000) - seconds + 1, newest do
    if at > newest - seconds then granted = granted + parse('<I4', text, 13 + 4 * (at % seconds)) end
  end
  if granted == 0 then return -1 end
  local window = math.max(1000, math.min(now - began, 60000))
  return math.floor((count * window + granted - 1) / granted)
end
