-- The end of the function `seldom` (sale_scripts.cpp): what of the parts in it a call may ask for.

-- A node that has come puts itself into the list 'N' and takes those out that were not heard of for a day.
local function forget_old_nodes(newcomer)
  local list, kept = get('N') or '', {newcomer}
  for at = 1, #list, 8 do
    local other = list:sub(at, at + 7)
    local last = get('n' .. other)
    if last and now - parse('<I6', last, 7) > 24 * 3600 * 1000 then
      drop('n' .. other)
    elseif other ~= newcomer then
      kept[#kept + 1] = other
    end
  end
  set('N', table.concat(kept))
end

local commands = {
  G = function(number) return decide_one(nil, number) end,
  B = function(number, by) return decide_one(begin_payment, number, by) end,
  F = function(number, charge, id, account) return decide_one(finish_payment, number, charge, id, account) end,
  C = function(number, id) return decide_one(confirm, number, id) end,
  X = function(number) return decide_one(cancel, number) end,
  T = function(number) return decide_one(give_back, number) end,
  D = function(number) return decide_one(finish_refund, number) end,
  V = function() return show_sale() end,
  P = function(stock, closes, state) return pack('<B', patch(stock, closes, state)) .. show_sale() end,
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

return {run_due = run_due, next_hold = next_hold, count_grants = count_grants, forget_old_nodes = forget_old_nodes,
  commands = commands}
