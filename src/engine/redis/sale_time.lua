-- What time brings: ends of holds, opening and closing, ticks; and who is served next. As sale_due.cpp. Whether it has
-- brought anything is known without this part: sale_clock.lua.
--
-- A call makes at most `work` steps. What is left is in `pending`, and the next call begins with it; nothing is decided
-- in between, so that many steps are to everybody one.
local read_ahead = 32

-- Reads records, and their customers, before they are used one by one.
local function fetch_records(first, last, with_customers)
  if raw['r' .. first] ~= nil or first > last then return end
  local fields = {}
  for number = first, math.min(last, first + read_ahead - 1) do fields[#fields + 1] = 'r' .. number end
  fetch(fields)
  if not with_customers then return end
  local customers = {}
  for _, field in ipairs(fields) do
    if raw[field] then
      local _, _, _, _, _, _, _, _, _, _, name = parse('<BBB I3 I6I6I6 I4I4 c16 Bc0', raw[field])
      customers[#customers + 1] = 'c' .. name
    end
  end
  fetch(customers)
end

-- Available units go to one that waited.
local function grant(number, r)
  s.available = s.available - r.quantity
  if t.hold == 0 then
    s.sold = s.sold + r.quantity
    r.state = confirmed
    adjust(r.customer, 0, -1, -1, -r.quantity)
    emit(18, number)
  else
    adjust(r.customer, 0, 0, -1, -r.quantity)
    if s.held == s.exceptions then s.expiring, s.expires_from = number, now + t.hold end
    s.held = s.held + r.quantity
    r.state, r.expires = held, now + t.hold
    emit(17, number)
  end
  store(number, r)
end

-- To be called before a hold ends: it is no exception any more.
local function leave_exceptions(number, r)
  if r.extended == 0 and number >= s.expiring then return end
  s.exceptions = s.exceptions - r.quantity
  if r.extended == 0 then s.graced = s.graced - 1 end
end

-- A hold ends without a sale.
local function leave_hold(number, r, state, reason)
  leave_exceptions(number, r)
  s.held = s.held - r.quantity
  s.available = s.available + r.quantity
  adjust(r.customer, -r.quantity, -1)
  r.state, r.reason = state, reason
  store(number, r)
end

local function leave_line(number, r, state, reason)
  adjust(r.customer, -r.quantity, -1, -1, -r.quantity)
  r.state, r.reason = state, reason
  leave(number)
  store(number, r)
end

-- Grants the head of the line if its units are available.
local function serve_head()
  local head = s.serving + 1
  local r = load(head)
  if r.quantity > s.available then return false end
  leave(head)
  grants = grants + 1 -- of the line alone: units that were simply there tell nothing of how long others wait
  grant(head, r)
  work = work - 1
  return true
end

local function refuse_all_waiting()
  s.sold_out_upto = s.last
  leave_all()
  emit(5, s.sold_out_upto)
end

-- Refuses whom no unit can reach any more; without a queue, serves the line. A paused sale leaves its line as it is.
-- False: there is more to do.
local function settle()
  s.pending = settling
  while s.waiting > 0 and s.paused == 0 do
    if s.available + s.held == 0 then
      refuse_all_waiting()
      break
    end
    local head = s.serving + 1
    fetch_records(head, s.last, true)
    local r = load(head)
    if r.quantity > s.available + s.held then
      if work <= 0 then return false end
      work = work - 1
      leave_line(head, r, refused, sold_out)
      emit(21, head)
    elseif t.queue or r.quantity > s.available then
      break
    else
      if work <= 0 then return false end
      serve_head()
    end
  end
  s.pending = idle
  return true
end

local function tick()
  while s.tick_left > 0 do
    if not settle() then
      s.pending = ticking
      return false
    end
    s.pending = ticking
    if s.waiting == 0 or s.paused == 1 then break end
    if work <= 0 then return false end
    if not serve_head() then break end
    s.tick_left = s.tick_left - 1
  end
  s.tick_left = 0
  return settle()
end

local function close()
  s.closed, s.closed_at, s.closed_upto = 1, now, s.last
  leave_all()
  emit(4, s.closed_upto)
end

-- Whether a hold ends in the order of the numbers.
local function is_in_order(r) return r.state == held and r.extended == 0 end

-- The first such number from `cursor` on, with its record; nothing: not found with the work that is left.
local function find_in_order(cursor)
  for _ = 1, 2000 do
    fetch_records(s[cursor], s.serving, false)
    local r = load(s[cursor])
    if is_in_order(r) then return s[cursor], r end
    s[cursor] = s[cursor] + 1
  end
  work = 0
  return nil
end

-- Those that are in their grace stand before `expiring`, the others from it on.
local function next_in_order()
  if s.held == s.exceptions then return nil end
  local number, r = find_in_order('expiring')
  if number then s.expires_from = r.expires end
  return number, r
end

local function next_in_grace()
  if s.graced == 0 then return nil end
  local number, r = find_in_order('grace_from')
  if number then s.grace_at = r.expires + payment_grace end
  return number, r
end

-- Extended holds end in no order: a heap of (end, number), the first in 'e'1. One that is no longer held is taken out
-- when it comes first.
local end_layout = '<I6I4'

local function is_earlier(a, b)
  local at, number = parse(end_layout, a)
  local other_at, other = parse(end_layout, b)
  return at < other_at or (at == other_at and number < other)
end

local function add_end(at, number)
  local text = pack(end_layout, at, number)
  s.ends = s.ends + 1
  local place = s.ends
  while place > 1 do
    local above = get('e' .. math.floor(place / 2))
    if is_earlier(above, text) then break end
    set('e' .. place, above)
    place = math.floor(place / 2)
  end
  set('e' .. place, text)
  s.first_end = parse(end_layout, get('e1'))
end

local function take_first_end()
  local text, place = get('e' .. s.ends), 1
  drop('e' .. s.ends)
  s.ends = s.ends - 1
  if s.ends == 0 then return end
  while 2 * place <= s.ends do
    local below = 2 * place
    if below < s.ends and is_earlier(get('e' .. below + 1), get('e' .. below)) then below = below + 1 end
    if is_earlier(text, get('e' .. below)) then break end
    set('e' .. place, get('e' .. below))
    place = below
  end
  set('e' .. place, text)
  s.first_end = parse(end_layout, get('e1'))
end

local function next_extended()
  for _ = 1, 200 do
    if s.ends == 0 then return nil end
    local at, number = parse(end_layout, get('e1'))
    local r = load(number)
    if r.state == held then return number, r, at end
    take_first_end()
  end
  work = 0
  return nil
end

-- The hold whose instant comes first: its number, its record, and the instant. Nothing: there is none, or it was not
-- found with the work that is left, which is 0 then.
local function next_hold()
  local number, r = next_in_order()
  local at = r and r.expires
  local function offer(other, its, when)
    if other and (not number or when < at or (when == at and other < number)) then number, r, at = other, its, when end
  end
  local other, its = next_in_grace()
  offer(other, its, s.grace_at)
  offer(next_extended())
  return number, r, at
end

-- The instant of a hold has come. While it is being charged it has a grace.
local function end_hold(number, r, at)
  if r.claimed == 0 or at >= r.expires + payment_grace then
    leave_hold(number, r, expired, none)
    emit(20, number)
  elseif r.extended == 1 then
    take_first_end()
    add_end(r.expires + payment_grace, number)
  else
    s.expiring = number + 1
    if s.graced == 0 then s.grace_from, s.grace_at = number, r.expires + payment_grace end
    s.graced = s.graced + 1
    s.exceptions = s.exceptions + r.quantity
  end
end

-- Does what is due. False: there is more.
local function run_due()
  if s.pending == ticking and not tick() then return false end
  if s.pending == settling and not settle() then return false end
  while true do
    local kind, at = nil, now + 1
    local number, r, ends
    if hold_ends_at() <= now then
      fetch_records(s.expiring, s.serving, true)
      number, r, ends = next_hold()
      if work <= 0 then return false end
      if number and ends < at then kind, at = 'hold', ends end
    end
    if t.opens == 1 and s.opened == 0 and t.opens_at < at then kind, at = 'opening', t.opens_at end
    if s.closes == 1 and s.closed == 0 and s.closes_at < at then kind, at = 'closing', s.closes_at end
    if t.queue and s.closed == 0 and s.waiting > 0 then
      local index = tick_index()
      if index > s.last_tick and tick_start(index) < at then kind = 'tick' end
    end
    if not kind then return true end
    if kind == 'hold' then
      work = work - 1
      end_hold(number, r, ends)
    elseif kind == 'opening' then
      s.opened = 1
    elseif kind == 'closing' then
      close()
    else
      s.last_tick, s.tick_left = tick_index(), t.admit
      if not tick() then return false end
    end
    if not settle() then return false end
  end
end
