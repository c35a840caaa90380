-- Decides a batch of commands on one sale, in their order.
--   ARGV: 1 node (8 bytes), 2 sequence of this call, from 1, 3 sequence of the last kept call that the node saw answered,
--         4 steps that time may take, 5 'always' (write also where nothing changed, for WAIT to wait for) or 'changes',
--         6 the store that the sale must be of, 7 how many undelivered events make the outbox full (0: none do), 8 the
--         incarnation that the node knows ('any': it names no reservation), then each command: its letter and its
--         arguments
--   Reply: a text, see `head`; kept under the node until its next call, unless nothing but reads was asked. The same
--          call again gives the same text and has no effect; reads are read again. An error: NOSALE, no such keys; LATER,
--          written by a later release; STALE, an older call than one that was answered; BEHIND, the sale remembers less than the
--          node was answered: see sale_past.lua; CHANGED, the sale has begun an incarnation that the node does not know:
--          its numbers may be of others by now.
local arguments_of = {
  R = 4, K = 4,            -- reserve, and one that was refused here before: customer, quantity, reference, key
  G = 1, B = 2, F = 4,     -- get, begin and finish payment: number; by; charge, id, account
  C = 2, X = 1, T = 3,     -- confirm, cancel, return: number; payment; quantity, the quantity it must have
  Y = 2, Z = 2, H = 1,     -- extend, transfer, fulfil: number; ms; customer
  D = 1,                   -- finish refund
  V = 0, P = 8, E = 1,     -- sale, patch (see there), erase: 'delivered' events only, or 'any'
  L = 2, M = 3,            -- list: after, limit; of a customer
  A = 2, S = 2,            -- records from, upto; records that changed since an event, at most so many entries
  W = 2, U = 3,            -- payment work: limit, claimed before; forgotten charges: from, limit, granted before
}

-- These change nothing, and a call of nothing else may be decided anew when it comes again: its reply is not kept.
local only_reads = {G = true, V = true, L = true, M = true, A = true, S = true}

local node, sequence, answered = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
work = tonumber(ARGV[4])

-- What all commands will look at, read at once.
local first_command = 9
local fields = {'f', 'm', 't', 'w', 'clock', 'store', 'i', 'n' .. node}
do
  local at = first_command
  while ARGV[at] do
    local letter = ARGV[at]
    if letter == 'R' then
      fields[#fields + 1] = 'c' .. ARGV[at + 1]
      fields[#fields + 1] = 'k' .. ARGV[at + 4]
    elseif arguments_of[letter] > 0 and tonumber(ARGV[at + 1]) then
      fields[#fields + 1] = 'r' .. ARGV[at + 1]
    end
    at = at + 1 + arguments_of[letter]
  end
end
if #fields <= most_arguments then
  local texts = call('HMGET', key, unpack(fields))
  for i = 1, #fields do raw[fields[i]] = texts[i] end
else
  fetch(fields)
end
if not raw.m or raw.store ~= ARGV[6] then return redis.error_reply('NOSALE there is no such sale') end
if not is_readable(raw.f) then return redis.error_reply('LATER the sale was written by a release with another format') end

local seen = 0
if raw['n' .. node] then
  seen = parse('<I6', raw['n' .. node])
  if seen == sequence and #raw['n' .. node] > 12 then
    call('HSET', key, 'n' .. node, raw['n' .. node])  -- a write, for WAIT
    return raw['n' .. node]:sub(13)
  end
  if seen > sequence then return redis.error_reply('STALE a later call was answered') end
end
if seen < answered then return redis.error_reply('BEHIND the sale has forgotten answers that were given') end
local incarnation = raw.i and parse('<I4', raw.i, #raw.i - 15) or 0
if ARGV[8] ~= 'any' and tonumber(ARGV[8]) ~= incarnation then
  return redis.error_reply('CHANGED the sale has begun another incarnation')
end
load_sale()
s.outbox_limit = tonumber(ARGV[7])

local answers, decided, is_kept = {}, 0, false
if not is_due() or seldom().run_due() then
  local at = first_command
  while ARGV[at] and s.pending == idle and not deleted do
    local letter = ARGV[at]
    local upto = at + arguments_of[letter]
    if not only_reads[letter] then is_kept = true end
    if letter == 'R' or letter == 'K' then  -- the hot ones, without a table of arguments
      answers[#answers + 1] =
        reserve(letter == 'K', ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4])
    else
      answers[#answers + 1] = seldom().commands[letter](unpack(ARGV, at + 1, upto))
    end
    decided = decided + 1
    at = upto + 1
  end
end
drop_old_keys(2 * decided + 4)
if grants > 0 and (t.queue or t.standby == 1) then seldom().count_grants() end

-- Of the counters the first six bytes are the time.
local meta = pack_meta(now)
local writes = #changed > 0 or #dropped > 0 or #events > 0 or ARGV[5] == 'always' or meta:sub(7) ~= raw.m:sub(7)

-- head: now, commands decided (those behind are to be sent again), whether more is due, facts (2: this call is kept),
-- the incarnation, payment work (1: holds to charge, 2: charges or refunds under way), in how many ms something is due
-- (-1: never), events so far, and how many of them are delivered.
local facts = writes and 2 or 0
local charges = t.automatic == 1 and s.held > 0 and s.charging <= s.serving
local work_left = (charges and 1 or 0) + ((s.claims > 0 or s.refunds > 0) and 2 or 0)
local reply = pack('<I6I4BBI4BlI6I6', now, decided, s.pending ~= idle and 1 or 0, facts, incarnation, work_left,
  due_in(), s.events, s.delivered) .. show_sale() .. table.concat(answers)

if deleted then
  call('UNLINK', key, stream)
  return reply
end
if not writes then return reply end
if not raw['n' .. node] then seldom().forget_old_nodes(node) end
set('m', meta)
if raw.f ~= format then set('f', format) end
set('n' .. node, pack('<I6I6', sequence, now) .. (is_kept and reply or ''))
for from = 1, #dropped, most_arguments do
  call('HDEL', key, unpack(dropped, from, math.min(from + most_arguments - 1, #dropped)))
end
for from = 1, #changed, most_arguments do
  call('HSET', key, unpack(changed, from, math.min(from + most_arguments - 1, #changed)))
end
if #events > 0 then
  call('XADD', stream, string.format('%.0f-0', s.events), 'e', pack('<I6I6I4', now, first_event, #events)
    .. table.concat(events))
end
return reply
