-- claim: take what is due from a sorted set, leaving it there under a lease.
--
-- KEYS[1]  queue  sorted set of request ids by not-before (ms)
--
-- ARGV[1]  limit  how many at most
-- ARGV[2]  lease  ms until they are due again, unless somebody ticks them off
--
-- Returns the ids, the longest due first.

local limit, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
if not limit or not lease then
  return redis.error_reply("ERR limit and lease must be numbers")
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, limit)
for _, id in ipairs(ids) do
  redis.call("ZADD", KEYS[1], "XX", now + lease, id)
end
return ids
