-- How much memory each part of a reservation takes in a sale's hash: copies those of the first reservations, kind by kind,
-- into a hash of their own and measures that. Parts: records, customers, keys of requests.
--   KEYS: 1 the sale's hash, 2 the hash to use and to remove. ARGV: 1 how many reservations.
--   Reply: bytes of each part, for all of them.
local call, parse = redis.call, struct.unpack
local most = 1000

local function field_of_record(number) return string.format('r%d', number) end
local function copy(fields)
  local texts, both = call('HMGET', KEYS[1], unpack(fields)), {}
  for i, field in ipairs(fields) do
    both[2 * i - 1], both[2 * i] = field, texts[i]
  end
  call('HSET', KEYS[2], unpack(both))
  return texts
end

local function measure(field_of)
  for from = 1, ARGV[1], most do
    local fields = {}
    for number = from, math.min(from + most - 1, ARGV[1]) do fields[#fields + 1] = field_of(number) end
    copy(fields)
  end
  local bytes = call('MEMORY', 'USAGE', KEYS[2], 'SAMPLES', 0)
  call('DEL', KEYS[2])
  return bytes
end

-- The key and the customer as sale_state.lua keeps them in a record.
local function part_of_record(number)
  local _, _, _, _, _, _, _, _, _, key, customer =
    parse('<BBB I3 I6I6I6 I4I4 c16 Bc0', call('HGET', KEYS[1], field_of_record(number)))
  return key, customer
end

return {
  measure(field_of_record),
  measure(function(number) return 'c' .. select(2, part_of_record(number)) end),
  measure(function(number) return 'k' .. (part_of_record(number)) end),
}
