#!lua
-- Sets the capacity, and grants what fits now. Nobody who holds loses anything where it is lowered; those who wait and
-- want more than it are told to ask again, and are refused then.
--   ARGV: 1 process, 2 inbox, 3 trust (see grant_next), 4 capacity, 5 keep ms
--   Reply: the capacity, last token, grants to this process
-- Keeps: the same again changes nothing.
restore()
capacity = tonumber(ARGV[4])
if declared == 0 then declared = capacity end
local grants = {}
if head < tail then grants = grant_next(ARGV[1], ARGV[2], ARGV[3]) end
save_and_keep(now, tonumber(ARGV[5]))
return {capacity, token, grants}
