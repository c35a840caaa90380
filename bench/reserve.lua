-- Reservations for wrk: each of another customer, with a key of its own.
--
--   wrk ... -s bench/reserve.lua URL -- RUN SALE
--
-- RUN tells customers of one run from those of another; SALE is the sale's id.

local run, path = "run", "/"
local count = 0
local headers = { ["Content-Type"] = "application/json" }

function init(arguments)
  run = arguments[1]
  path = "/v1/sales/" .. arguments[2] .. "/reservations"
end

function request()
  count = count + 1
  local customer = "customer-" .. run .. "-" .. count
  headers["Idempotency-Key"] = "key-" .. run .. "-" .. count
  return wrk.format("POST", path, headers, '{"customer":"' .. customer .. '","quantity":1}')
end

-- One line to read by a script: answers, microseconds, refusals, broken connections, p50, p99 and p99.9 in microseconds.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("done %d %d %d %d %d %d %d\n", summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
