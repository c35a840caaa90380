-- What of the outbox is told, and up to where it was delivered. The latter is the watermark, the field 'w': the number of
-- the last event that surely arrived, and behind it, as text, the highest token of a relay. It only rises, and nothing
-- behind it is ever trimmed. A sale of an earlier release has none: nothing was delivered.
--   ARGV: 1 the store that the sale must be of, then
--     read AFTER LIMIT         events behind AFTER, or behind the watermark where that is '', at most LIMIT. Writes nothing
--     deliver UPTO TOKEN KEEP  moves the watermark to UPTO, for the relay with that token. At least KEEP (from 1) delivered
--                              events stay for those who read the feed. Done again it changes nothing
--   Reply of read: head (see below), entries that have the events, the fields of their reservations, and these; some
--                  events of the first and the last entry may lie outside. An entry is as sale_decide.lua writes it.
--   Reply of deliver: the outcome, the watermark, events so far.
--   An error: NOSALE, no such keys; LATER, written by a later release.
local lease_lost = 81

fetch({'f', 'm', 't', 'w', 'clock', 'store', 'i'})
if not raw.m or raw.store ~= ARGV[1] then return redis.error_reply('NOSALE there is no such sale') end
if not is_readable(raw.f) then return redis.error_reply('LATER the sale was written by a release with another format') end
load_sale()

local function id_of(event) return string.format('%.0f', event) end

-- Of decimal texts without leading zeros, whatever their length: a token may have more digits than Lua counts.
local function is_higher(a, b) return #a > #b or (#a == #b and a > b) end

local function deliver(upto, token, keep)
  local seen = raw.w and raw.w:sub(7) or '0'
  if is_higher(seen, token) then return {lease_lost, s.delivered, s.events} end
  upto = math.min(upto, s.events)
  local moves = upto > s.delivered
  if moves or token ~= seen then
    if moves then s.delivered = upto end
    call('HSET', key, 'w', pack('<I6', s.delivered) .. token)
  end
  -- Whole nodes of the stream, some thousand entries at most: it takes no time that anybody notices.
  if moves and upto > keep then call('XTRIM', stream, 'MINID', '~', id_of(upto - keep + 1)) end
  return {moves and 0 or 2, s.delivered, s.events}
end

local function read(after, limit)
  local first_kept = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local oldest = first_kept and parse('<I6', first_kept[2][2], 7) or 0
  if oldest > after + 1 then after = oldest - 1 end
  local upto = first_kept and math.min(after + limit, s.events) or after
  local bodies, fields, seen = {}, {}, {}

  local function take(entries)
    local reached = after
    for _, entry in ipairs(entries) do
      local text = entry[2][2]
      local _, first, count, at = parse('<I6I6I4', text)
      bodies[#bodies + 1] = text
      reached = first + count - 1
      for event = first, math.min(reached, upto) do
        local kind, number
        kind, number, at = parse('<BI4', text, at)
        if has_value(kind) then at = at + 6 end
        if kind >= 16 and event > after and not seen[number] then
          seen[number] = true
          fields[#fields + 1] = 'r' .. number
        end
      end
    end
    return reached
  end

  -- An entry's id is its last event's number: of those in the range no event lies behind it, and one more may be cut.
  if upto > after then
    local reached = take(call('XRANGE', stream, id_of(after + 1), id_of(upto)))
    if reached < upto then take(call('XRANGE', stream, id_of(upto + 1), '+', 'COUNT', 1)) end
  end
  local texts = #fields > 0 and call('HMGET', key, unpack(fields)) or {}
  local incarnation = raw.i and parse('<I4', raw.i, #raw.i - 15) or 0
  local head = pack('<I4I6I6I6I6I6 I4I4I4I4', incarnation, s.events, s.delivered, oldest, after, upto, s.available, s.held, s.sold, s.stock)
  return {head, bodies, fields, texts}
end

if ARGV[2] == 'deliver' then return deliver(tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])) end
return read(tonumber(ARGV[3]) or s.delivered, tonumber(ARGV[4]))
