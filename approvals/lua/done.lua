-- done: tick a drawn request off, unless there is more of it to be drawn by now.
--
-- KEYS[1]  request  hash with its version
-- KEYS[2]  cards    hash of the places where it is to be shown, as JSON whose ts is null until it is
-- KEYS[3]  draw     sorted set of request ids by when they may be drawn (ms)
--
-- ARGV[1]  id       of the request
-- ARGV[2]  version  that was drawn
--
-- Returns 1 if it is ticked off, 0 if it is to be drawn again, now.

local id, drawn = ARGV[1], ARGV[2]
local version = redis.call("HGET", KEYS[1], "version")
local is_done = version == drawn
for _, posted in ipairs(redis.call("HVALS", KEYS[2])) do
  is_done = is_done and cjson.decode(posted).ts ~= cjson.null
end
if is_done or not version then
  redis.call("ZREM", KEYS[3], id)
  return 1
end
local time = redis.call("TIME")
redis.call("ZADD", KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000), id)
return 0
