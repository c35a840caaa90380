#!lua flags=allow-oom
-- Ends the grant with this token, whoever holds it, and hands the lock to the next live waiter.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 token
--   Reply: 'freed', 'not-held' or 'other-token', last token, a grant to this process
-- Keeps: no other grant is ended. The grant counts as one that lapsed, so a release by its holder answers 'lost'.
--@ key
--@ clock
--@ state
local process, inbox, trust = ARGV[1], ARGV[2], ARGV[3]
local grant = false
local changed = false
local outcome = 'not-held'
--@ end_lapsed
if owner ~= '' then
  outcome = 'other-token'
  if token == tonumber(ARGV[4]) then
    outcome = 'freed'
    lapse = token
    owner = ''
    changed = true
  end
end
if owner == '' and head < tail then
  --@ grant_next
elseif changed then
  --@ save
end
return {outcome, token, grant}
