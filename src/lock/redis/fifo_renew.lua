#!lua flags=allow-oom
-- Prolongs a grant to `lease` from now on, and makes a lease of a claim.
--   ARGV: 1 process, 2 number, 3 token; '0': of any grant, 4 lease ms; '0': as long as before, 5 keep ms,
--         6 the owner from now on, if it is another; it may be that already
--   Reply: ms from now on, 0: lost; last token
-- Keeps: what has ended, even unnoticed, does not come back. The key outlives the lease: a holder alone renews for days
-- while nobody acquires, which is why keep is needed here too. A copy that comes late does no more than prolong what
-- the same owner has by then. What the owner from now on has already keeps its length: a repeated acquire changes none.
--@ key
--@ clock
--@ state
local mine = tonumber(ARGV[3])
local is_mine = owner == ARGV[1] .. ':' .. ARGV[2] or (owner ~= '' and owner == ARGV[6])
if is_mine and (token == mine or mine == 0) and till > now then
  if ARGV[4] ~= '0' and owner ~= ARGV[6] then length = tonumber(ARGV[4]) end
  till = now + length
  sure = 1
  owner = ARGV[6] or owner
  local need, keep = till, ARGV[5]
  --@ save_and_keep
  return {length, token}
end
return {0, token}
