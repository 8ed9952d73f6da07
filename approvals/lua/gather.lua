-- gather: make a digest of requests, of those that are held for it or of any.
--
-- KEYS[1]  digest        hash of body, rows' version and version of what is to be drawn
-- KEYS[2]  digest:cards  hash of the place where its message is to be
-- KEYS[3]  draw          sorted set of ids by when they may be drawn (ms)
-- KEYS[4]  held          sorted set of request ids by when they came (ms), of one digest and channel
-- KEYS[5]  queues        sorted set of such digests and channels by when they are due (ms)
-- KEYS[6…] cards         of each request: hash of the places where it is to be shown
--
-- ARGV[1]  id      of the digest
-- ARGV[2]  body    the digest, as JSON; "" to make none, and only to let go what is not to be held any more
-- ARGV[3]  place   of its message
-- ARGV[4]  posted  JSON for it
-- ARGV[5]  queue   the digest and the channel, as a member of queues; "": its requests are not held
-- ARGV[6]  marker  the place that says that a request is held
-- ARGV[7]  keep    seconds that all of this is kept for
-- ARGV[8]  shown   JSON: the place that says that a digest shows a request
-- ARGV[9]  name    of that place
-- ARGV[10] count   of the requests: their ids follow; after them the ids that are only let go
--
-- Returns 1 if it is made, now or by an earlier call; 0 if somebody else has gathered some of them.

local id, body, place, posted, queue, marker, keep, shown, name, count = unpack(ARGV, 1, 10)
count, keep = tonumber(count), tonumber(keep)
if not count or not keep then
  return redis.error_reply("ERR count and keep must be numbers")
end
if body ~= "" and redis.call("EXISTS", KEYS[1]) == 1 then
  return 1
end
if queue ~= "" then
  for index = 11, 10 + count do
    if not redis.call("ZSCORE", KEYS[4], ARGV[index]) then
      return 0
    end
  end
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if body ~= "" then
  redis.call("HSET", KEYS[1], "body", body, "rows", 1, "version", 1)
  redis.call("EXPIRE", KEYS[1], keep)
  redis.call("HSET", KEYS[2], place, posted)
  redis.call("EXPIRE", KEYS[2], keep)
  redis.call("ZADD", KEYS[3], now, id)
end
for index = 1, count do
  redis.call("HDEL", KEYS[5 + index], marker)
  redis.call("HSET", KEYS[5 + index], name, shown)
  redis.call("EXPIRE", KEYS[5 + index], keep)
end
if queue ~= "" then
  for index = 11, #ARGV do
    redis.call("ZREM", KEYS[4], ARGV[index])
  end
  if redis.call("ZCARD", KEYS[4]) == 0 then
    redis.call("ZREM", KEYS[5], queue)
  else
    redis.call("ZADD", KEYS[5], now, queue)
  end
end
return 1
