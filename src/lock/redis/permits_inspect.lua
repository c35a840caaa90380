#!lua flags=no-writes
-- A look. Reply: capacity (0: none is fixed), weights in use, holders, how many wait, last token, ms until the next
-- holder ends, the capacity that the first caller fixed
local over = call('ZRANGEBYSCORE', holders, '-inf', now, 'LIMIT', 0, 512)
local count = math.max(call('ZCARD', holders) - 1 - #over, 0)
for i = 1, #over do
  local held = call('HGET', key, 'h' .. over[i])
  if held then used = used - tonumber(string.match(held, '^%d+ (%d+)')) end
end
local next_end = 0
local soonest = call('ZRANGEBYSCORE', holders, '(' .. now, '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if #soonest > 0 then next_end = tonumber(soonest[2]) - now end
if not indexed then used = 0 end
return {capacity, used, count, waiting, token, next_end, declared}
