-- refuse: log an attempt on what is no request, and send the letter that made it back, if it was one.
--
-- KEYS[1]  audit       stream; entry N of the tenant has the id N-0
-- KEYS[2]  audit:seq   the number given out last
-- KEYS[3]  audit:head  hash of the newest entry about no request
-- KEYS[4]  inbox       stream that the letter lies in; left out without a letter
-- KEYS[5]  request     hash that the letter's id would be kept under; left out, as what follows, without an id
-- KEYS[6]  outcome     string
-- KEYS[7]  wake        stream of hints to the agent
--
-- ARGV[1]  previous    the head that the entry is chained to; "" for the first
-- ARGV[2]  entry       of the audit log, as JSON
-- ARGV[3]  head        its hash
-- ARGV[4]  letter      its id in the inbox; this and all that follows where there are keys for it
-- ARGV[5]  group       that the letter was read by
-- ARGV[6]  id          that the letter names
-- ARGV[7]  agent       whose letter it is
-- ARGV[8]  outcome     JSON; not given out where this agent has such a request, or was answered before
-- ARGV[9]  keep        ms that the outcome is kept for
--
-- Returns 1, also when this very entry was written before; nil if the head has moved on.

local previous, entry, head, letter, group, id, agent, outcome, keep = unpack(ARGV, 1, 9)

local known = redis.call("GET", KEYS[3]) or ""
if known == head then
  return 1 -- ours, and its reply was lost
end
if known ~= previous then
  return nil
end
if KEYS[5] and not tonumber(keep) then
  return redis.error_reply("ERR keep must be a number")
end
local seq = string.format("%d", (redis.call("GET", KEYS[2]) or 0) + 1)

redis.call("XADD", KEYS[1], seq .. "-0", "entry", entry) -- first, because it alone can be refused
redis.call("SET", KEYS[2], seq)
redis.call("SET", KEYS[3], head)

if KEYS[4] then
  redis.call("XACK", KEYS[4], group, letter)
  redis.call("XDEL", KEYS[4], letter)
end
if KEYS[5] and redis.call("HGET", KEYS[5], "agent") ~= agent
  and redis.call("SET", KEYS[6], outcome, "NX", "PX", keep) then
  redis.call("XADD", KEYS[7], "MAXLEN", "~", 1000, "*", "id", id)
end
return 1
