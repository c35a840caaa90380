#!lua flags=allow-oom
-- Prolongs a grant to `lease` from now on, and makes a lease of a claim.
--   ARGV: 1 process, 2 number, 3 token, 4 lease ms, 5 keep ms
--   Reply: ms from now on, 0: lost; last token
-- Keeps: what has ended, even unnoticed, does not come back. The key outlives the lease: a holder alone renews for days
-- while nobody acquires, which is why keep is needed here too.
--@ key
--@ clock
--@ state
if owner == ARGV[1] .. ':' .. ARGV[2] and token == tonumber(ARGV[3]) and till > now then
  length = tonumber(ARGV[4])
  till = now + length
  sure = 1
  local need, keep = till, ARGV[5]
  --@ save_and_keep
  return {length, token}
end
return {0, token}
