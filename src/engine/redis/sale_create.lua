-- Makes a sale's two keys, once.
--   ARGV: 1 terms (as terms_layout), 2 stock, 3 has closes_at, 4 closes_at, 5 the terms as the shop gave them, 6 store,
--         7 its first era (as sale_past.lua), 8 the server's run
--   Reply: the terms as created, and whether it was made now (1) or before (0).
-- `created_at` of ARGV[1], the last six bytes of terms_layout, is set here.
local format_field = call('HMGET', key, 'f', 'o')
if format_field[1] then return {format_field[2], 0} end
local time = call('TIME')
now = time[1] * 1000 + math.floor(time[2] / 1000)
s = {available = tonumber(ARGV[2]), held = 0, sold = 0, stock = tonumber(ARGV[2]), last = 0, serving = 0, waiting = 0,
  sold_out_upto = 0, closed_upto = 0, last_tick = 0, events = 0, expiring = 1, expires_from = 0, charging = 1, claims = 0,
  claim_first = 1, claim_last = 0, refunds = 0, refund_first = 1, refund_last = 0, gone = 0, keys_from = 1, keys_since = 0,
  tick_left = 0, pending = 0, closed = 0, opened = 0, closes = tonumber(ARGV[3]), closes_at = tonumber(ARGV[4]),
  closed_at = 0, paused = 0, revision = 0,
  exceptions = 0, graced = 0, grace_from = 1, grace_at = 0, ends = 0, first_end = 0}
emit(1, 0)
local terms = ARGV[1]:sub(1, terms_bytes - 6) .. pack('<I6', now) .. ARGV[1]:sub(terms_bytes + 1)
call('HSET', key, 'f', format, 'm', pack_meta(now), 't', terms, 'o', ARGV[5], 'store', ARGV[6],
  'i', ARGV[7], 'q', ARGV[8])
call('XADD', stream, '1-0', 'e', pack('<I6I6I4', now, 1, 1) .. events[1])
return {ARGV[5], 1}
