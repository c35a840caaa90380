-- What a sale knows of its past: the field 'i' has its eras, 'l' what it has lost, 'q' the run of the server in which it
-- was last looked at. They change together, and only where nobody else has changed them since they were read.
--   ARGV: 1 the store that the sale must be of, 2 eras and 3 losses as they were read, 4 losses as they are to be, 5 the
--         server's run, 6 the incarnation that begins (0: none does), 7 and 8 the number and the sequence above which it
--         goes on, as they are told
--   Reply: 1 where it was done; 0: read it again.  An error: NOSALE, no such keys; LATER, written by a later release.
local era_layout, era_bytes = '<I6I6I4I6I6', 28

fetch({'f', 'm', 't', 'w', 'clock', 'store', 'i', 'l', 'q'})
if not raw.m or raw.store ~= ARGV[1] then return redis.error_reply('NOSALE there is no such sale') end
if not is_readable(raw.f) then return redis.error_reply('LATER the sale was written by a release with another format') end
local eras = raw.i or ''
if eras ~= ARGV[2] or (raw.l or '') ~= ARGV[3] then return 0 end
load_sale()

local incarnation = tonumber(ARGV[6])
if incarnation > 0 then
  local more_numbers, more_sequences = 0, 0
  if #eras > 0 then
    local after_number, after_sequence, _
    after_number, after_sequence, _, more_numbers, more_sequences = parse(era_layout, eras, #eras - era_bytes + 1)
    -- Nothing was told in it: the new one takes its place.
    if after_number == s.last and after_sequence == s.events then eras = eras:sub(1, #eras - era_bytes) end
  end
  more_numbers = math.max(more_numbers, tonumber(ARGV[7]) - s.last)
  more_sequences = math.max(more_sequences, tonumber(ARGV[8]) - s.events)
  eras = eras .. pack(era_layout, s.last, s.events, incarnation, more_numbers, more_sequences)
end
call('HSET', key, 'f', format, 'i', eras, 'l', ARGV[4], 'q', ARGV[5])
return 1
