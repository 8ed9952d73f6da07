-- amend: store what a digest is to show now, unless somebody else has already.
--
-- KEYS[1]  digest  hash of body, rows' version and version of what is to be drawn
-- KEYS[2]  draw    sorted set of ids by when they may be drawn (ms)
--
-- ARGV[1]  id        of the digest
-- ARGV[2]  expected  the version of its rows that the caller changed
-- ARGV[3]  rows      the version of its rows after that
-- ARGV[4]  body      the digest after that, as JSON
-- ARGV[5]  draw      "1": it is to be drawn; "": the caller is at it
--
-- Returns 1 if it is stored, now or by an earlier call; 0 if it has moved on.

local id, expected, rows, body, draw = unpack(ARGV, 1, 5)
local known, stored = unpack(redis.call("HMGET", KEYS[1], "rows", "body"))
if known == rows and stored == body then
  return 1
end
if known ~= expected then
  return 0
end
redis.call("HSET", KEYS[1], "rows", rows, "body", body)
if draw == "1" then
  local time = redis.call("TIME")
  redis.call("HINCRBY", KEYS[1], "version", 1)
  redis.call("ZADD", KEYS[2], "NX", time[1] * 1000 + math.floor(time[2] / 1000), id)
end
return 1
