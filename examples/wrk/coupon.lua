-- A coupon for wrk: everybody asks once, each a customer of their own, with a key.
--
--   wrk -t 2 -c 64 -d 10 -s examples/wrk/coupon.lua http://127.0.0.1:8080 -- SALE
--
-- Prints how often each status was answered. 201 is a unit sold, 410 sold out.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

local headers = { ["Content-Type"] = "application/json" }
local count, path = 0, "/"

function init(arguments)
  path = "/v1/sales/" .. (arguments[1] or "coupon") .. "/reservations"
  statuses = {}  -- global, so that `done` finds it
end

function request()
  count = count + 1
  local who = "wrk-" .. number .. "-" .. count
  headers["Idempotency-Key"] = '"' .. who .. '"'
  return wrk.format("POST", path, headers, '{"customer": "' .. who .. '"}')
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
end

function done()
  local all = {}
  for _, thread in ipairs(threads) do
    for status, times in pairs(thread:get("statuses")) do all[status] = (all[status] or 0) + times end
  end
  for status, times in pairs(all) do print(string.format("status %d: %d", status, times)) end
end
