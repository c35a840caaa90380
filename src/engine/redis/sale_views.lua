-- What is shown of a sale and of a reservation, and the work of the payment worker. As sale_codec.hpp reads it.

local function show_record(number)
  local text = get('r' .. number)
  return pack('<I4I4', number, #text) .. text
end

local function show_reservation(number)
  local text = get('r' .. number)
  local r = load(number)
  local state = state_of(number, r)
  local position, eta = 0, -1
  if state == queued then
    position = position_of(number)
    eta = time_for(position)
  end
  return pack('<BBI4l', state, reason_of(number, r), position, eta) .. show_record(number)
end

local function knows(number) return number >= 1 and number <= s.last end

-- A decision about one reservation, and what came of it.
local function decide_one(decide, number, ...)
  number = tonumber(number)
  if not knows(number) then return pack('<B', 12) end
  local outcome, left = done, nil
  if decide then outcome, left = decide(number, load(number), ...) end
  return pack('<B', outcome) .. (left and pack('<I6', left) or '') .. show_reservation(number)
end

local function show_list(numbers, limit)
  local next_after = 0
  if #numbers > limit then next_after = numbers[limit] end
  local parts = {}
  for i = 1, math.min(#numbers, limit) do parts[i] = show_reservation(numbers[i]) end
  return pack('<I4I4', next_after, #parts) .. table.concat(parts)
end

local function list(after, limit)
  local numbers, fields = {}, {}
  for number = after + 1, math.min(s.last, after + limit + 1) do
    numbers[#numbers + 1] = number
    fields[#fields + 1] = 'r' .. number
  end
  fetch(fields)
  return show_list(numbers, limit)
end

-- Finds the first mark behind `after`, and walks from one that is a page further back to `after`.
local function list_of_customer(customer, after, limit)
  local _, _, latest, _, _, made = counts_of(customer)
  local marks = math.floor(made / mark_step)
  local behind = first_mark_behind(customer, marks, after)
  local upto, pages, newest_first = behind, 1, {}
  repeat
    upto = upto + pages * math.ceil(limit / mark_step)
    pages = 2 * pages
    local number = upto <= marks and mark_of(customer, upto) or latest
    newest_first = {}
    while number > after do
      newest_first[#newest_first + 1] = number
      number = load(number).previous
    end
  until #newest_first > limit or upto > marks
  local numbers = {}
  for i = #newest_first, 1, -1 do numbers[#numbers + 1] = newest_first[i] end
  return show_list(numbers, limit)
end

-- Records as they are stored, for those who count again: how far the events are, and what refuses all who waited.
local function show_counted(parts, reached)
  return pack('<I6I4I4I6I4', s.events, s.sold_out_upto, s.closed_upto, reached, #parts) .. table.concat(parts)
end

local function show_records(from, upto)
  local fields, parts = {}, {}
  upto = math.min(upto, s.last)
  for number = from, upto do fields[#fields + 1] = 'r' .. number end
  fetch(fields)
  for number = from, upto do
    if raw['r' .. number] then parts[#parts + 1] = show_record(number) end
  end
  return show_counted(parts, 0)
end

-- Those that events after `after` tell of, from at most `most` entries of the outbox. Where that reaches the last event
-- of before this call, who has read all others has read them all as they are at this instant. Reached 0: some of those
-- events were delivered and are kept no longer.
local function show_records_since(after, most)
  local entries = call('XRANGE', stream, string.format('%.0f', after + 1), '+', 'COUNT', most)
  local first_kept = entries[1] and parse('<I6', entries[1][2][2], 7) or s.events - #events + 1
  if first_kept > after + 1 then return show_counted({}, 0) end
  local seen, fields, numbers, parts = {}, {}, {}, {}
  local reached = #entries < most and s.events - #events or after
  for _, entry in ipairs(entries) do
    local text = entry[2][2]
    local _, first, count, at = parse('<I6I6I4', text)
    if #entries == most then reached = first + count - 1 end
    for _ = 1, count do
      local kind, number
      kind, number, at = parse('<BI4', text, at)
      if has_value(kind) then at = at + 6 end
      if number > 0 and kind >= 16 and not seen[number] then
        seen[number] = true
        numbers[#numbers + 1] = number
        fields[#fields + 1] = 'r' .. number
      end
    end
  end
  fetch(fields)
  for i, number in ipairs(numbers) do parts[i] = show_record(number) end
  return show_counted(parts, reached)
end

-- Payment work: charges of holds that nobody has claimed, from a cursor that all nodes share; and, of a node that may
-- have died, charges that were claimed before `claimed_before` and not finished, and refunds that are due.
local charge_task, settle_task, refund_task = 0, 1, 2

local function take_charges(tasks, limit)
  if t.automatic == 0 then return end
  local steps = 1000
  while s.charging <= s.serving and #tasks < limit and steps > 0 do
    fetch_records(s.charging, s.serving, false)
    local r = load(s.charging)
    if r.state == held and r.expires > now and r.claimed == 0 then
      tasks[#tasks + 1] = pack('<I4BI4', s.charging, charge_task, r.quantity)
    end
    s.charging = s.charging + 1
    steps = steps - 1
  end
end

-- Those that began first and are not over stand first in the list 'x' or 'y'; finished ones are taken out in passing.
local function take_listed(tasks, limit, prefix, first, last, action, is_due)
  local at, steps = s[first], 100
  while at <= s[last] and #tasks < limit and steps > 0 do
    local text = get(prefix .. at)
    local number = tonumber(text)
    local due = number and is_due(load(number))
    if due == nil or not number then
      if at == s[first] then s[first] = at + 1 end
      if number then drop(prefix .. at) end
    elseif due then
      tasks[#tasks + 1] = pack('<I4BI4', number, action, load(number).quantity)
    end
    at = at + 1
    steps = steps - 1
  end
end

local function rescue(tasks, limit, claimed_before)
  take_listed(tasks, limit, 'x', 'claim_first', 'claim_last', settle_task, function(r)
    if r.claimed == 0 then return nil end
    return r.claimed < claimed_before
  end)
  take_listed(tasks, limit, 'y', 'refund_first', 'refund_last', refund_task, function(r)
    if r.refund ~= 1 then return nil end
    return true
  end)
end

local function take_tasks(limit, claimed_before)
  local tasks = {}
  rescue(tasks, limit, claimed_before)
  take_charges(tasks, limit)
  return pack('<I4', #tasks) .. table.concat(tasks)
end

-- Those of them that were extended, wherever they are: the first hundred, by their ends.
local function take_forgotten_extended(tasks, limit, granted_before)
  for place = 1, math.min(s.ends, 100) do
    local _, number = parse(end_layout, get('e' .. place))
    local r = load(number)
    if r.state == held and r.claimed == 0 and r.expires > now and r.created < granted_before and number < s.charging
      and #tasks < limit then
      tasks[#tasks + 1] = pack('<I4BI4', number, charge_task, r.quantity)
    end
  end
end

-- Holds of an automatic sale that were handed out to be charged by a node that died before it claimed them: those
-- granted before `granted_before`, from number `from` on.
local function take_forgotten(from, limit, granted_before)
  local tasks, steps = {}, 1000
  if t.automatic == 1 then take_forgotten_extended(tasks, limit, granted_before) end
  from = math.max(from, s.expiring)
  while t.automatic == 1 and s.held > 0 and from < s.charging and from <= s.serving and #tasks < limit and steps > 0 do
    fetch_records(from, s.serving, false)
    local r = load(from)
    if is_in_order(r) and r.claimed == 0 and r.expires > now and r.expires - t.hold < granted_before then
      tasks[#tasks + 1] = pack('<I4BI4', from, charge_task, r.quantity)
    end
    from = from + 1
    steps = steps - 1
  end
  if from >= s.charging or from > s.serving then from = 0 end
  return pack('<I4I4', from, #tasks) .. table.concat(tasks)
end
