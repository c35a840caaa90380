-- Payment, confirm, cancel, return, extend, fulfil, refunds. One function per command, one branch per state.
-- As sale_payment.cpp and sale_after.cpp. Each takes the number, its record and its arguments, and gives an outcome;
-- 22 and 25 also give how many units are left.

local function sell_hold(number, r)
  leave_exceptions(number, r)
  s.held = s.held - r.quantity
  s.sold = s.sold + r.quantity
  adjust(r.customer, 0, -1)
  r.state = confirmed
  emit(18, number)
end

local function left_of_limit(units) return t.limit > 0 and math.max(t.limit - units, 0) or math.huge end

-- Available units are sold to one that holds none.
local function sell_late(number, r)
  adjust(r.customer, r.quantity, 0)
  s.available = s.available - r.quantity
  s.sold = s.sold + r.quantity
  r.state, r.reason = confirmed, none
  emit(18, number)
end

-- A reservation that holds no units and was paid after all: sold, if its units are there, nobody is in line for them and
-- the limit allows it.
local function take_again(number, r)
  if s.closed == 1 or s.waiting > 0 or s.available < r.quantity then return false end
  if r.quantity > left_of_limit(counts_of(r.customer)) then return false end
  sell_late(number, r)
  return true
end

-- It was paid, and there is nothing to give.
local function leave_unfulfilled(number, r)
  r.state, r.reason = paid_unfulfilled, none
  emit(23, number)
  emit(35, number)
end

local function begin_payment(number, r, by)
  if by == 'client' and t.automatic == 1 then return 48 end
  local state = state_of(number, r)
  if state == held then
    if r.claimed > 0 then return 44 end
    r.claimed = now
    s.claims = s.claims + 1
    s.claim_last = s.claim_last + 1
    set('x' .. s.claim_last, tostring(number))
    store(number, r)
    emit(32, number)
    return done
  end
  if state == confirmed then return unchanged end
  if state == cancelled then return (r.reason == payment_failed or r.reason == payment_refused) and 42 or 40 end
  if state == expired then return r.claimed > 0 and 44 or 41 end -- while its charge runs it may yet be sold
  if state == paid_unfulfilled then return 47 end
  return 40
end

-- A claim runs only on one that is held, or was when the hold ended: nothing else can happen to it meanwhile.
local function finish_payment(number, r, charge, id, account)
  if r.claimed == 0 then return unchanged end
  local in_time = state_of(number, r) == held
  local outcome = done
  r.claimed = 0
  s.claims = s.claims - 1
  if charge == 'charged' then
    r.payment, r.account = id, account
    if in_time then
      sell_hold(number, r)
    elseif not take_again(number, r) then
      leave_unfulfilled(number, r)
      r.refund = 1
      s.refunds = s.refunds + 1
      s.refund_last = s.refund_last + 1
      set('y' .. s.refund_last, tostring(number))
      outcome = 47
    end
  elseif charge == 'declined' or charge == 'refused' then
    local tried = charge == 'declined'
    if in_time then leave_hold(number, r, cancelled, tried and payment_failed or payment_refused) end
    emit(tried and 33 or 37, number)
    outcome = in_time and 42 or 41
  else
    emit(34, number)
    outcome = in_time and 43 or 41
    if in_time and r.expires <= now then  -- in its grace it was only waiting for this answer
      leave_hold(number, r, expired, none)
      emit(20, number)
      outcome = 41
    end
  end
  store(number, r)
  settle()
  return outcome
end

local function confirm(number, r, id)
  if t.automatic == 1 then return 48 end
  if r.claimed > 0 then return 44 end
  local outcome = done
  local state = state_of(number, r)
  if state == held then
    sell_hold(number, r)
  elseif state == expired or state == cancelled then
    if not take_again(number, r) then
      leave_unfulfilled(number, r)
      outcome = 47
    end
  elseif state == confirmed then
    return r.payment == id and unchanged or 46
  else
    return state == paid_unfulfilled and 47 or 40
  end
  r.payment, r.account = id, ''
  store(number, r)
  settle()
  return outcome
end

local function cancel(number, r)
  local state = state_of(number, r)
  if state == queued then
    leave_line(number, r, cancelled, by_customer)
  elseif state == held then
    if r.claimed > 0 then return 45 end
    leave_hold(number, r, cancelled, by_customer)
  elseif state == confirmed then
    return 46
  elseif state == cancelled then
    return unchanged
  elseif state == expired then
    return 41
  else
    return state == paid_unfulfilled and 47 or 40
  end
  emit(19, number)
  settle()
  return done
end

-- `quantity`: '' is all it has. `expected`: what it must have; '' is anything.
local function give_back(number, r, quantity, expected)
  local state = state_of(number, r)
  if state == returned then return unchanged end
  if state ~= confirmed then return 49 end
  if expected ~= '' and tonumber(expected) ~= r.quantity then return 53, r.quantity end
  local back = tonumber(quantity) or r.quantity
  if back > r.quantity then return 25, r.quantity end
  s.sold = s.sold - back
  s.available = s.available + back
  adjust(r.customer, -back, 0)
  if back == r.quantity then
    r.state = returned
    emit(22, number)
  else
    r.quantity, r.returned = r.quantity - back, r.returned + back
    emit(24, number, r.quantity)
  end
  store(number, r)
  settle()
  return done
end

local function extend(number, r, by)
  by = tonumber(by)
  local is_held = state_of(number, r) == held and r.expires > now
  if not is_held or r.extended == 1 or by <= 0 or by > t.extend then return 50 end
  r.expires, r.extended = r.expires + by, 1
  s.exceptions = s.exceptions + r.quantity
  add_end(r.expires, number)
  store(number, r)
  emit(26, number)
  return done
end

local function fulfil(number, r)
  local state = state_of(number, r)
  if state == confirmed then return unchanged end
  if state ~= paid_unfulfilled or r.refund == 2 then return 52 end
  if r.refund == 1 then return 45 end
  if r.quantity > s.available then return 25, s.available end
  local left = left_of_limit(counts_of(r.customer))
  if r.quantity > left then return 22, left end
  sell_late(number, r)
  store(number, r)
  settle()
  return done
end

local function finish_refund(number, r)
  if r.refund ~= 1 then return unchanged end
  r.refund = 2
  s.refunds = s.refunds - 1
  store(number, r)
  emit(36, number)
  return done
end
