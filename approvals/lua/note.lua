-- note: set or take out one thing that people have set, and log that they did.
--
-- KEYS[1]  audit       stream; entry N of the tenant has the id N-0
-- KEYS[2]  audit:seq   the number given out last
-- KEYS[3]  audit:head  hash of the newest entry about no request
-- KEYS[4]  register    hash of what is set; its field `version` counts the changes
--
-- ARGV[1]  previous    the head that the entry is chained to; "" for the first
-- ARGV[2]  entry       of the audit log, as JSON
-- ARGV[3]  head        its hash
-- ARGV[4]  field       what is set
-- ARGV[5]  value       as JSON; "" takes it out
-- ARGV[6]  new         "1": only if nothing stands there; "0": only if something does
--
-- Returns 1, also when this very entry was written before; 0 if nothing stood there, or something did, against what
-- was wanted; nil if the head has moved on.

local previous, entry, head, field, value, new = unpack(ARGV)

local known = redis.call("GET", KEYS[3]) or ""
if known == head then
  return 1 -- ours, and its reply was lost
end
if known ~= previous then
  return nil
end
local is_there = redis.call("HEXISTS", KEYS[4], field) == 1
if (value == "" or new == "0") and not is_there or (new == "1" and is_there) then
  return 0
end
if field == "version" then
  return redis.error_reply("ERR version is no thing to set")
end
local seq = string.format("%d", (redis.call("GET", KEYS[2]) or 0) + 1)

redis.call("XADD", KEYS[1], seq .. "-0", "entry", entry) -- first, because it alone can be refused
redis.call("SET", KEYS[2], seq)
redis.call("SET", KEYS[3], head)
redis.call("HINCRBY", KEYS[4], "version", 1)
if value == "" then
  redis.call("HDEL", KEYS[4], field)
else
  redis.call("HSET", KEYS[4], field, value)
end
return 1
