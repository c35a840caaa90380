-- Payment, confirm, cancel, return, refunds, and what the shop changes. One function per command, one branch per state.
-- As sale_payment.cpp and sale_terms.cpp. Each takes the number, its record and its arguments, and gives an outcome.

local function sell_hold(number, r)
  s.held = s.held - r.quantity
  s.sold = s.sold + r.quantity
  adjust(r.customer, 0, -1)
  r.state = confirmed
  emit(18, number)
end

-- A hold that ended and was paid after all: sold, if its units are there, nobody is in line for them and the limit
-- allows it.
local function take_again(number, r)
  local units = counts_of(r.customer)
  if s.closed == 1 or s.waiting > 0 or s.available < r.quantity then return false end
  if t.limit > 0 and units + r.quantity > t.limit then return false end
  adjust(r.customer, r.quantity, 0)
  s.available = s.available - r.quantity
  s.sold = s.sold + r.quantity
  r.state = confirmed
  emit(18, number)
  return true
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
  if state == cancelled then return reason_of(number, r) == payment_failed and 42 or 40 end
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
      r.state, r.refund = paid_unfulfilled, 1
      emit(23, number)
      emit(35, number)
      s.refunds = s.refunds + 1
      s.refund_last = s.refund_last + 1
      set('y' .. s.refund_last, tostring(number))
      outcome = 47
    end
  elseif charge == 'declined' then
    if in_time then leave_hold(number, r, cancelled, payment_failed) end
    emit(33, number)
    outcome = in_time and 42 or 41
  else
    emit(34, number)
    outcome = in_time and 43 or 41
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
  elseif state == expired then
    if not take_again(number, r) then
      r.state = paid_unfulfilled
      emit(23, number)
      emit(35, number)
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

local function give_back(number, r)
  local state = state_of(number, r)
  if state == returned then return unchanged end
  if state ~= confirmed then return 49 end
  s.sold = s.sold - r.quantity
  s.available = s.available + r.quantity
  adjust(r.customer, -r.quantity, 0)
  r.state = returned
  store(number, r)
  emit(22, number)
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

-- `stock` and `closes`: '' leaves it; `closes` '-' removes it. `state` 'closed' closes now.
local function patch(stock, closes, state)
  if closes ~= '' and s.closed == 1 then return 21 end
  stock = tonumber(stock)
  if stock and stock < s.held + s.sold then return 60 end
  local events_before = s.events
  if stock and stock ~= s.stock then
    s.available = s.available + stock - s.stock
    s.stock = stock
    emit(2, 0, stock)
  end
  if closes ~= '' then
    local has, at = 1, tonumber(closes)
    if closes == '-' then has, at = 0, 0 end
    if has ~= s.closes or at ~= s.closes_at then
      s.closes, s.closes_at = has, at
      emit(3)
    end
  end
  local close_now = state == 'closed' or (s.closes == 1 and s.closes_at <= now)
  if close_now and s.closed == 0 then close() end
  settle()
  return s.events == events_before and unchanged or done
end

local function deletable() return s.closed == 1 and s.held == 0 and s.claims == 0 and s.refunds == 0 end
