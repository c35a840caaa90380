-- A sale as scripts see it: two keys, made with the sale, of which nothing ever expires.
--   KEYS[1], a hash: 'm' its counters, 't' its terms, 'r'NUMBER a reservation, 'c'CUSTOMER their counts,
--     'j'CHUNK:CUSTOMER the numbers of every 64th of their reservations, 'k'KEY the number that an idempotency key made,
--     'n'NODE the last call of a node and its answers, 'd' and 'D' who left the line out of turn, 'g' the rate of the last
--     minute, 'x' and 'y' running charges and refunds, in the order of their beginning, 'e' a heap of the ends of extended
--     holds, 'i', 'l' and 'q' its past (see sale_past.lua),
--     'w' the watermark: up to which event all were delivered, and the highest token of a relay (none: nothing was)
--   KEYS[2], a stream: the outbox, one entry per call that changed something; its id is the last event's number
-- Mechanism: everything is read through `get`, changed in memory, and written by `save` in one HSET and one XADD at the
-- end. A script that fails before that has changed nothing.
-- The layouts are those of sale_codec.hpp; a change of one is a new `format`.
local key, stream = KEYS[1], KEYS[2]
local call, pack, parse = redis.call, struct.pack, struct.unpack
local most_arguments = 4000  -- Lua's unpack has a limit of 8000

-- What format 1 lacks stands at the end of a text and is 0: there such a text is filled up with zeros.
local format, first_format = '2', '1'  -- 2 brought incarnations, and what may become of a sale and a reservation later
local meta_layout = '<I6 I4I4I4I4 I4I4I4 I4I4 I6I6 I4I6 I4 I4I4I4 I4I4I4 I4 I4I6 I4BBB Bl I6 BI6 '
  .. 'I4I4I4I6 I4I6'
local meta_bytes = 163
local terms_layout = '<I6I6I4 I4I4 BBBl I6'
local terms_bytes = 41
local extend_layout = '<I4'  -- behind the terms of a sale that allows it
local unpaid_layout = '<BBB I3 I6I6I6 I4I4 c16 Bc0 Bc0'
local record_layout = unpaid_layout .. 'Hc0 Hc0'
local customer_layout = '<I6I4I4I4 I4I6I4'
local first_customer_layout = '<I6I4I4I4'  -- of earlier releases
local first_customer_size = 18
local rare_layout = '<BI3'  -- behind the record of one that was extended, or of which units were given back

-- States, reasons, refunds and events are numbered as in sale.hpp, record.hpp and command.hpp.
local queued, held, confirmed, cancelled, expired, refused, paid_unfulfilled, returned = 1, 2, 3, 4, 5, 6, 7, 8
local none, payment_failed, by_customer, sold_out, sale_closed, payment_refused = 0, 1, 2, 3, 4, 5
local payment_grace = 10000  -- ms that a hold outlives its end while it is being charged

local raw = {}                      -- what was read or set: text, or false where there is no such field
local changed, place = {}, {}       -- fields and texts by turns, to be written; where there a field's text stands
local dropped = {}
local s, t = {}, {}                                  -- counters; terms
local now
local events, first_event = {}, nil
local grants = 0     -- of the line, in this call
local work = 0       -- ends of holds, grants and refusals that this call may still make
local deleted = false

local function get(field)
  local text = raw[field]
  if text == nil then
    text = call('HGET', key, field)
    raw[field] = text
  end
  return text
end

-- Reads many fields at once.
local function fetch(fields)
  local wanted = {}
  for _, field in ipairs(fields) do
    if raw[field] == nil then
      raw[field] = false
      wanted[#wanted + 1] = field
    end
  end
  for from = 1, #wanted, most_arguments do
    local upto = math.min(from + most_arguments - 1, #wanted)
    local texts = call('HMGET', key, unpack(wanted, from, upto))
    for i, text in ipairs(texts) do raw[wanted[from + i - 1]] = text end
  end
end

local function set(field, text)
  raw[field] = text
  local at = place[field]
  if not at then
    at = #changed + 2
    changed[at - 1] = field
    place[field] = at
  end
  changed[at] = text
end

local function drop(field)
  raw[field] = false
  dropped[#dropped + 1] = field
  local at, last = place[field], #changed
  if not at then return end
  -- The last one takes its place.
  changed[at - 1], changed[at] = changed[last - 1], changed[last]
  place[changed[at - 1]] = at
  changed[last - 1], changed[last] = nil, nil
  place[field] = nil
end

local function is_readable(written_as) return written_as == format or written_as == first_format end

local function filled(text, bytes) return #text < bytes and text .. string.rep('\0', bytes - #text) or text end

local function pack_meta(at)
  return pack(meta_layout, at, s.available, s.held, s.sold, s.stock, s.last, s.serving, s.waiting, s.sold_out_upto,
    s.closed_upto, s.last_tick, s.events, s.expiring, s.expires_from, s.charging, s.claims, s.claim_first, s.claim_last,
    s.refunds, s.refund_first, s.refund_last, s.gone, s.keys_from, s.keys_since, s.tick_left, s.pending, s.closed,
    s.opened, s.closes, s.closes_at, s.closed_at, s.paused, s.revision, s.exceptions, s.graced,
    s.grace_from, s.grace_at, s.ends, s.first_end)
end

local function load_sale()
  s.now, s.available, s.held, s.sold, s.stock, s.last, s.serving, s.waiting, s.sold_out_upto, s.closed_upto,
    s.last_tick, s.events, s.expiring, s.expires_from, s.charging, s.claims, s.claim_first, s.claim_last, s.refunds,
    s.refund_first, s.refund_last, s.gone, s.keys_from, s.keys_since, s.tick_left, s.pending, s.closed, s.opened,
    s.closes, s.closes_at, s.closed_at, s.paused, s.revision, s.exceptions, s.graced, s.grace_from, s.grace_at, s.ends,
    s.first_end = parse(meta_layout, filled(raw.m, meta_bytes))
  t.hold, t.limit, t.max_open, t.admit, t.tick, t.standby, t.automatic, t.opens, t.opens_at, t.created_at =
    parse(terms_layout, raw.t)
  t.extend = #raw.t > terms_bytes and parse(extend_layout, raw.t, terms_bytes + 1) or 0
  t.queue = t.admit > 0
  s.delivered = raw.w and parse('<I6', raw.w) or 0
  -- The server's clock may step back; a sale's does not.
  -- 'clock' is set by tests, in place of the server's.
  now = tonumber(raw.clock or nil)
  if not now then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  if now < s.now then now = s.now end
end

local function emit(kind, number, value)
  number = number or 0
  s.events = s.events + 1
  if not first_event then first_event = s.events end
  events[#events + 1] = value and pack('<BI4I6', kind, number, value) or pack('<BI4', kind, number)
end

-- Whether an event has a value behind its number.
local function has_value(kind) return kind == 2 or kind == 24 or kind == 25 end

local function load(number)
  local r = {}
  local text, behind = get('r' .. number)
  r.state, r.reason, r.refund, r.quantity, r.created, r.expires, r.claimed, r.position, r.previous, r.key, r.customer,
    r.reference, r.payment, r.account, behind = parse(record_layout, text)
  if behind <= #text then
    r.extended, r.returned = parse(rare_layout, text, behind)
  else
    r.extended, r.returned = 0, 0
  end
  return r
end

local function store(number, r)
  local text = pack(record_layout, r.state, r.reason, r.refund, r.quantity, r.created, r.expires, r.claimed,
    r.position, r.previous, r.key, #r.customer, r.customer, #r.reference, r.reference, #r.payment, r.payment,
    #r.account, r.account)
  if r.extended > 0 or r.returned > 0 then text = text .. pack(rare_layout, r.extended, r.returned) end
  set('r' .. number, text)
end

local function refused_upto()
  local sold_out_upto, closed_upto = s.sold_out_upto, s.closed_upto
  return sold_out_upto > closed_upto and sold_out_upto or closed_upto
end

-- One fact on the sale refuses all who wait.
local function state_of(number, r)
  if r.state == queued and number <= refused_upto() then return refused end
  return r.state
end

local function reason_of(number, r)
  if r.state ~= queued then return r.reason end
  if number <= s.sold_out_upto then return sold_out end
  return number <= s.closed_upto and sale_closed or none
end

-- The counts of a customer are: units, open reservations, latest number, up to which number a refusal of all who waited
-- is counted in, how many reservations wait, for how many units, and how many there are in all.
--
-- Every 64th reservation of a customer is marked, so that a page of their reservations is found without a walk along
-- all of them. The numbers of 64 marks stand together in one field, rising. One that goes to another customer leaves its
-- marks to the one before it.
local mark_step, marks_together = 64, 64

local function mark_field(name, nth) return 'j' .. math.floor((nth - 1) / marks_together) .. ':' .. name end

local function set_mark(name, nth, number)
  local field = mark_field(name, nth)
  set(field, (get(field) or '') .. pack('<I4', number))
end

local function mark_of(name, nth)
  local number = parse('<I4', get(mark_field(name, nth)), (nth - 1) % marks_together * 4 + 1)
  return number
end

-- Completes the counts that an earlier release has written. Done once for a customer.
local function complete_counts(name, text)
  local units, open, latest, corrected = parse(first_customer_layout, text)
  local numbers, waiting_count, waiting_units, number = {}, 0, 0, latest
  while number > 0 do
    local r = load(number)
    if r.state == queued and number > corrected then
      waiting_count = waiting_count + 1
      waiting_units = waiting_units + r.quantity
    end
    numbers[#numbers + 1] = number
    number = r.previous
  end
  local made = #numbers
  for nth = 1, math.floor(made / mark_step) do set_mark(name, nth, numbers[made - nth * mark_step + 1]) end
  text = pack(customer_layout, units, open, latest, corrected, waiting_count, waiting_units, made)
  set('c' .. name, text)
  return text
end

-- Nobody joins the line without a write of their counts. So where all who waited were refused since the last write, all
-- that waited then were among them.
local function counts_of(name)
  local text = get('c' .. name)
  if not text then return 0, 0, 0, 0, 0, 0 end
  if #text == first_customer_size then text = complete_counts(name, text) end
  local units, open, latest, corrected, waiting_count, waiting_units, made = parse(customer_layout, text)
  if corrected < refused_upto() then return units - waiting_units, open - waiting_count, latest, 0, 0, made end
  return units, open, latest, waiting_count, waiting_units, made
end

local function set_counts(name, units, open, latest, waiting_count, waiting_units, made)
  set('c' .. name, pack(customer_layout, units, open, latest, refused_upto(), waiting_count, waiting_units, made))
end

-- `more_waiting`, `more_waiting_units`: none where they are left out.
local function adjust(name, more_units, more_open, more_waiting, more_waiting_units)
  local units, open, latest, waiting_count, waiting_units, made = counts_of(name)
  set_counts(name, units + more_units, open + more_open, latest, waiting_count + (more_waiting or 0),
    waiting_units + (more_waiting_units or 0), made)
end

-- As sale_codec.hpp reads it.
local function show_sale()
  return pack('<I4I4I4I4 I4I4I4 BBl BlI6I4 BI6', s.available, s.held, s.sold, s.stock, s.waiting, s.serving, s.last,
    s.closed, s.closes, s.closes_at, t.opens, t.opens_at, t.limit, t.max_open, s.paused, s.revision)
end
