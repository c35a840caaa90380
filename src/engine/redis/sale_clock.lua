-- Whether something is due, and when. What is due is done by sale_time.lua.
--
-- `pending`: what a call has left to the next one.
local idle, settling, ticking = 0, 1, 2

local function tick_index()
  local base = t.opens == 1 and t.opens_at or t.created_at
  return now < base and 0 or math.floor((now - base) / t.tick)
end

local function tick_start(index) return (t.opens == 1 and t.opens_at or t.created_at) + index * t.tick end

-- When the next hold ends, or its grace begins, at the earliest; exact after `next_hold`.
local function hold_ends_at()
  local at = s.held > s.exceptions and s.expires_from or math.huge
  if s.graced > 0 then at = math.min(at, s.grace_at) end
  if s.ends > 0 then at = math.min(at, s.first_end) end
  return at
end

-- Whether `run_due` would do anything. A tick does nothing while nobody waits: the line's first remembers it as done.
local function is_due()
  return s.pending ~= idle or hold_ends_at() <= now
    or (t.opens == 1 and s.opened == 0 and t.opens_at <= now)
    or (s.closes == 1 and s.closed == 0 and s.closes_at <= now)
    or (t.queue and s.closed == 0 and s.waiting > 0 and tick_index() > s.last_tick)
end

-- In how many ms something is due that somebody may notice; -1: never.
local function due_in()
  if s.pending ~= idle then return 0 end
  local at = hold_ends_at()
  if t.opens == 1 and s.opened == 0 then at = math.min(at, t.opens_at) end
  if s.closes == 1 and s.closed == 0 then at = math.min(at, s.closes_at) end
  if t.queue and s.closed == 0 and s.paused == 0 and s.waiting > 0 and s.available > 0 then
    at = math.min(at, tick_start(s.last_tick + 1))
  end
  return at == math.huge and -1 or math.max(at - now, 0)
end
