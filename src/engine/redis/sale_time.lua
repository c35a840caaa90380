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
    if s.held == 0 then s.expiring, s.expires_from = number, now + t.hold end
    s.held = s.held + r.quantity
    r.state, r.expires = held, now + t.hold
    emit(17, number)
  end
  store(number, r)
end

-- A hold ends without a sale.
local function leave_hold(number, r, state, reason)
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

-- Refuses whom no unit can reach any more; without a queue, serves the line. False: there is more to do.
local function settle()
  s.pending = settling
  while s.waiting > 0 do
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
    if s.waiting == 0 then break end
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

-- The first number that is held; nothing: none, or not found with the work that is left. Holds end in the order of
-- their numbers.
local function next_hold()
  if s.held == 0 then return nil end
  local steps = 0
  while steps < 2000 do
    fetch_records(s.expiring, s.serving, false)
    local r = load(s.expiring)
    if r.state == held then
      s.expires_from = r.expires
      return s.expiring, r
    end
    s.expiring = s.expiring + 1
    steps = steps + 1
  end
  work = 0
  return nil
end

-- Does what is due. False: there is more.
local function run_due()
  if s.pending == ticking and not tick() then return false end
  if s.pending == settling and not settle() then return false end
  while true do
    local kind, at = nil, now + 1
    local number, r
    if s.held > 0 and s.expires_from <= now then
      fetch_records(s.expiring, s.serving, true)
      number, r = next_hold()
      if not number and s.held > 0 then return false end
      if number and r.expires < at then kind, at = 'hold', r.expires end
    end
    if t.opens == 1 and s.opened == 0 and t.opens_at < at then kind, at = 'opening', t.opens_at end
    if s.closes == 1 and s.closed == 0 and s.closes_at < at then kind, at = 'closing', s.closes_at end
    if t.queue and s.closed == 0 and s.waiting > 0 then
      local index = tick_index()
      if index > s.last_tick and tick_start(index) < at then kind = 'tick' end
    end
    if not kind then return true end
    if kind == 'hold' then
      if work <= 0 then return false end
      work = work - 1
      leave_hold(number, r, expired, none)
      emit(20, number)
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
