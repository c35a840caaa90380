#!lua flags=no-writes
-- A look. Reply: owner (empty: nobody), last token, ms left, latest grant's ticket, last ticket, lapse, whether sure,
-- how many wait
--@ key
--@ clock
--@ state
--@ left
return {left > 0 and owner or '', token, left, head, tail, lapse, sure, waiting}
