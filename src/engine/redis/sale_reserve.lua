-- Reserve: the order of answers is replay or reuse, hours, limits, stock. As sale_reserve.cpp.
local done, waiting, unchanged = 0, 1, 2
local seldom  -- gives the functions that few calls need: see sale_seldom.lua
local no_key = string.rep('\0', 16)
local not_paid = string.rep('\0', 4)  -- the end of a record without a payment
local key_lifetime = 24 * 3600 * 1000
local refusals = {}  -- final ones of this call, by key

-- As sale_codec.hpp reads it.
local function answer_reserve(outcome, number, state, created, position, left, retry_after)
  return pack('<BI4BI6I4I6I6', outcome, number or 0, state or 0, created or 0, position or 0, left or 0, retry_after or 0)
end

local function ask_again_after() return t.queue and math.max(1000, math.min(t.tick, 10000)) or 1000 end

-- The first answer to this key again; nothing: it has made no reservation that young.
local function replay(quantity, reference, k)
  local text = get('k' .. k)
  if not text then return nil end
  local number = parse('<I4', text)
  local r = load(number)
  if now - r.created >= key_lifetime then return nil end
  if r.quantity + r.returned ~= quantity or r.reference ~= reference then return answer_reserve(13) end
  local state = r.position > 0 and queued or (t.hold == 0 and confirmed or held)
  return answer_reserve(unchanged, number, state, r.created, r.position, 0, r.position > 0 and ask_again_after() or 0)
end

local function refuse(outcome, quantity, reference, k, number, left)
  local answer = answer_reserve(outcome, number, 0, 0, 0, left)
  if k ~= no_key then refusals[k] = {quantity = quantity, reference = reference, answer = answer} end
  return answer
end

local outbox_is_full = 255  -- no outcome of a customer's

-- What is accepted is an event; while nobody delivers those, nothing is.
local function accept(outcome, customer, quantity, reference, k)
  if s.outbox_limit > 0 and s.events - s.delivered >= s.outbox_limit then return answer_reserve(outbox_is_full) end
  local units, open, previous, waiting_count, waiting_units, made = counts_of(customer)
  local number = s.last + 1
  local state, expires, position = queued, 0, 0
  s.last, made, open = number, made + 1, open + 1
  if outcome == waiting then
    if t.queue and s.waiting == 0 then s.last_tick = math.max(s.last_tick, tick_index()) end
    s.waiting = s.waiting + 1
    position = s.waiting
    waiting_count, waiting_units = waiting_count + 1, waiting_units + quantity
    emit(16, number)
  else
    s.serving = number
    s.available = s.available - quantity
    if t.hold == 0 then
      state, open = confirmed, open - 1
      s.sold = s.sold + quantity
      emit(18, number)
    else
      state, expires = held, now + t.hold
      if s.held == s.exceptions then s.expiring, s.expires_from = number, expires end
      s.held = s.held + quantity
      emit(17, number)
    end
  end
  set(string.format('r%d', number), pack(unpaid_layout, state, none, 0, quantity, now, expires, 0, position, previous, k,
    #customer, customer, #reference, reference) .. not_paid)
  set_counts(customer, units + quantity, open, number, waiting_count, waiting_units, made)
  if made % mark_step == 0 then set_mark(customer, made / mark_step, number) end
  if k ~= no_key then set('k' .. k, pack('<I4', number)) end
  return answer_reserve(outcome, number, state, now, position, 0, position > 0 and ask_again_after() or 0)
end

-- `again`: this node has refused that key for good; only a reservation that was made elsewhere is of interest.
local function reserve(again, customer, quantity, reference, k)
  if k ~= no_key then
    local answer = replay(quantity, reference, k)
    if answer then return answer end
    local refusal = refusals[k]
    if refusal then
      local same = refusal.quantity == quantity and refusal.reference == reference
      return same and refusal.answer or answer_reserve(13)
    end
  end
  if again then return answer_reserve(12) end
  if s.closed == 1 then return refuse(21, quantity, reference, k) end
  if t.opens == 1 and now < t.opens_at then return answer_reserve(20, 0, 0, 0, 0, 0, t.opens_at - now) end
  if s.paused == 1 then return answer_reserve(28) end

  local units, open, latest = counts_of(customer)
  if t.limit > 0 then
    local left = math.max(t.limit - units, 0)
    if quantity > left then return refuse(22, quantity, reference, k, quantity <= t.limit and latest or 0, left) end
  end
  if t.max_open > 0 and open >= t.max_open then return answer_reserve(23, seldom().latest_open(latest)) end

  local unsold = s.available + s.held
  if unsold == 0 then return refuse(26, quantity, reference, k) end
  if unsold < quantity then return answer_reserve(25, 0, 0, 0, 0, s.available) end
  if not t.queue and s.waiting == 0 and s.available >= quantity then
    return accept(done, customer, quantity, reference, k)
  end
  if t.queue or t.standby == 1 then return accept(waiting, customer, quantity, reference, k) end
  seldom().next_hold()
  return answer_reserve(24, 0, 0, 0, 0, s.held, math.max(hold_ends_at() - now, 0))
end

-- Forgets keys that are too old to be answered again, those of a few reservations per call.
local function drop_old_keys(most)
  while most > 0 and s.keys_from <= s.last and now - s.keys_since >= key_lifetime do
    local r = load(s.keys_from)
    s.keys_since = r.created
    if now - r.created < key_lifetime then return end
    local made = r.key ~= no_key and get('k' .. r.key)
    if made and parse('<I4', made) == s.keys_from then drop('k' .. r.key) end
    s.keys_from = s.keys_from + 1
    most = most - 1
  end
end
