-- The end of the function `seldom` (sale_scripts.cpp): what of the parts in it a call may ask for.

-- A node that has come puts itself at the beginning of the list 'N', and takes those from its end out that were not
-- heard of for an hour. It looks at some only, so that many that came and went cost no call much; each that comes finds
-- more to take out than itself. A node that is forgotten though it lives has lost nothing: a call that may still come
-- twice is seconds old.
local forget_after, look_at_most = 3600 * 1000, 16

local function forget_old_nodes(newcomer)
  local list = get('N') or ''
  local rest, kept = math.max(#list - 8 * look_at_most, 0), {}
  for at = rest + 1, #list, 8 do
    local other = list:sub(at, at + 7)
    local last = get('n' .. other)
    if other ~= newcomer and last and now - parse('<I6', last, 7) > forget_after then
      drop('n' .. other)
    elseif other ~= newcomer and last then
      kept[#kept + 1] = other
    end
  end
  set('N', newcomer .. table.concat(kept) .. list:sub(1, rest))
end

local commands = {
  G = function(number) return decide_one(nil, number) end,
  B = function(number, by) return decide_one(begin_payment, number, by) end,
  F = function(number, charge, id, account) return decide_one(finish_payment, number, charge, id, account) end,
  C = function(number, id) return decide_one(confirm, number, id) end,
  X = function(number) return decide_one(cancel, number) end,
  T = function(number, quantity, expected) return decide_one(give_back, number, quantity, expected) end,
  Y = function(number, by) return decide_one(extend, number, by) end,
  Z = function(number, customer) return decide_one(transfer, number, customer) end,
  H = function(number) return decide_one(fulfil, number) end,
  D = function(number) return decide_one(finish_refund, number) end,
  V = function() return show_sale() end,
  P = function(...) return pack('<B', patch(...)) .. show_sale() end,
  E = function(events)
    deleted = deletable() and (events == 'any' or s.delivered == s.events)
    return pack('<B', deleted and done or 61) .. show_sale()
  end,
  L = function(after, limit) return list(tonumber(after), tonumber(limit)) end,
  M = function(customer, after, limit) return list_of_customer(customer, tonumber(after), tonumber(limit)) end,
  A = function(from, upto) return show_records(tonumber(from), tonumber(upto)) end,
  S = function(after, most) return show_records_since(tonumber(after), tonumber(most)) end,
  W = function(limit, before) return take_tasks(tonumber(limit), tonumber(before)) end,
  U = function(from, limit, before) return take_forgotten(tonumber(from), tonumber(limit), tonumber(before)) end,
}

return {run_due = run_due, next_hold = next_hold, latest_open = latest_open, count_grants = count_grants,
  forget_old_nodes = forget_old_nodes, commands = commands}
