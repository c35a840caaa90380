-- What the shop changes on a sale, and another customer for a reservation. As sale_terms.cpp and sale_after.cpp.
local most_stock = 1000000000
local chain_steps = 1000  -- reservations of one customer that are looked at to find one among them
local marks_moved = 64    -- at most, to put one before them

-- An instant as `patch` takes it: whether there is one, and which. '' leaves it, '-' removes it.
local function instant_after(said, has, at)
  if said == '' then return has, at end
  if said == '-' then return 0, 0 end
  return 1, tonumber(said)
end

-- The terms that may change until the sale opens. Returns whether they have changed.
local function change_opening(opens, opens_at, limit, max_open)
  if opens == t.opens and opens_at == t.opens_at and limit == t.limit and max_open == t.max_open then return false end
  t.opens, t.opens_at, t.limit, t.max_open = opens, opens_at, limit, max_open
  set('t', pack(terms_layout, t.hold, t.limit, t.max_open, t.admit, t.tick, t.standby, t.automatic, t.opens, t.opens_at,
    t.created_at) .. (t.extend > 0 and pack(extend_layout, t.extend) or ''))
  if t.queue then s.last_tick = tick_index() end  -- ticks are counted from the opening
  return true
end

-- `stock_by` is added to the stock. A limit of 0 is none. `state`: open, paused, closed or ''. `revision`: the one that
-- the sale must have. Each '' leaves what it is about.
local function patch(stock, stock_by, closes, opens, limit, max_open, state, revision)
  if revision ~= '' and tonumber(revision) ~= s.revision then return 63 end
  if s.closed == 1 and (closes ~= '' or state == 'open' or state == 'paused') then return 21 end
  local scheduled = s.closed == 0 and t.opens == 1 and now < t.opens_at
  if not scheduled and (opens ~= '' or limit ~= '' or max_open ~= '') then return 64 end
  stock = (tonumber(stock) or s.stock) + (tonumber(stock_by) or 0)
  if stock < s.held + s.sold then return 60 end
  if stock > most_stock then return 66 end
  local has_end, closes_at = instant_after(closes, s.closes, s.closes_at)
  local has_start, opens_at = instant_after(opens, t.opens, t.opens_at)
  if (closes ~= '' or opens ~= '') and has_end == 1 and has_start == 1 and closes_at <= opens_at then return 65 end

  local events_before = s.events
  if stock ~= s.stock then
    s.available = s.available + stock - s.stock
    s.stock = stock
    emit(2, 0, stock)
  end
  local moved = has_end ~= s.closes or closes_at ~= s.closes_at
  s.closes, s.closes_at = has_end, closes_at
  if change_opening(has_start, opens_at, tonumber(limit) or t.limit, tonumber(max_open) or t.max_open) or moved then
    emit(3)
  end
  if (state == 'paused' and s.paused == 0) or (state == 'open' and s.paused == 1) then
    s.paused = 1 - s.paused
    emit(s.paused == 1 and 6 or 7)
  end
  local close_now = state == 'closed' or (s.closes == 1 and s.closes_at <= now)
  if close_now and s.closed == 0 then close() end
  local has_changed = s.events ~= events_before
  if has_changed then s.revision = s.revision + 1 end
  settle()
  return has_changed and done or unchanged
end

local function deletable() return s.closed == 1 and s.held == 0 and s.claims == 0 and s.refunds == 0 end

-- The first of a customer's reservations after `number`, 0 where there is none; nothing: too many are later.
local function next_later(latest, number)
  local later, steps = 0, 0
  while latest > number do
    steps = steps + 1
    if steps > chain_steps then return nil end
    later, latest = latest, load(latest).previous
  end
  return later
end

-- Makes `number` the one before `later`, and gives the customer's latest.
local function link(later, number, latest)
  if later == 0 then return number end
  local r = load(later)
  r.previous = number
  store(later, r)
  return latest
end

-- The first of a customer's marks behind a number, by bisection; one more than there are: none is.
local function first_mark_behind(name, marks, number)
  local first, behind = 1, marks + 1
  while first < behind do
    local middle = math.floor((first + behind) / 2)
    if mark_of(name, middle) > number then behind = middle else first = middle + 1 end
  end
  return behind
end

-- Puts a mark where one is, or behind the last.
local function put_mark(name, nth, number)
  local field, before = mark_field(name, nth), (nth - 1) % marks_together * 4
  local text = get(field) or ''
  set(field, text:sub(1, before) .. pack('<I4', number) .. text:sub(before + 5))
end

-- A customer has one reservation more, among others or as the latest. Where many marks are of later ones, some of them
-- are moved, and the new mark is at the last of those that were not.
local function mark_one_more(name, made, number)
  if made % mark_step ~= 0 then return end
  local at = made / mark_step
  local lowest = math.max(at - marks_moved, 1)
  while at > lowest and mark_of(name, at - 1) > number do
    put_mark(name, at, mark_of(name, at - 1))
    at = at - 1
  end
  if at > 1 then number = math.max(number, mark_of(name, at - 1)) end
  put_mark(name, at, number)
end

-- A customer has one less; `previous` is the one before it.
local function mark_one_less(name, made, number, previous)
  local marks = math.floor(made / mark_step)
  local nth = first_mark_behind(name, marks, number - 1)
  while nth <= marks and mark_of(name, nth) == number do
    put_mark(name, nth, previous)
    nth = nth + 1
  end
  if made % mark_step ~= 0 then return end
  local field = mark_field(name, marks)
  local text = get(field):sub(1, -5)
  if text == '' then drop(field) else set(field, text) end
end

local function transfer(number, r, customer)
  local state = state_of(number, r)
  if state ~= held and state ~= confirmed then return 51 end
  if r.customer == customer then return unchanged end
  if r.claimed > 0 then return 45 end
  local units, open, latest, waiting_count, waiting_units, made = counts_of(customer)
  local left = left_of_limit(units)
  if r.quantity > left then return 22, left end
  if state == held and t.max_open > 0 and open >= t.max_open then return 23 end
  local its_units, its_open, its_latest, its_count, its_waiting, its_made = counts_of(r.customer)
  local later_of_giver, later_of_receiver = next_later(its_latest, number), next_later(latest, number)
  if not later_of_giver or not later_of_receiver then return 51 end

  local opens = state == held and 1 or 0
  mark_one_less(r.customer, its_made, number, r.previous)
  its_latest = link(later_of_giver, r.previous, its_latest)
  set_counts(r.customer, its_units - r.quantity, its_open - opens, its_latest, its_count, its_waiting, its_made - 1)
  r.previous = later_of_receiver == 0 and latest or load(later_of_receiver).previous
  latest = link(later_of_receiver, number, latest)
  set_counts(customer, units + r.quantity, open + opens, latest, waiting_count, waiting_units, made + 1)
  mark_one_more(customer, made + 1, number)
  r.customer = customer
  store(number, r)
  if state == held then emit(27, number) else emit(25, number, r.quantity) end
  return done
end

-- The latest of a customer's reservations that is queued or held; 0: none was found.
local function latest_open(number)
  local steps = 0
  while number > 0 and steps < chain_steps do
    local r = load(number)
    local state = state_of(number, r)
    if state == queued or state == held then return number end
    number, steps = r.previous, steps + 1
  end
  return 0
end
