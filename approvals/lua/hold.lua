-- hold: keep a request back for a digest, instead of posting a card of its own.
--
-- KEYS[1]  held      sorted set of request ids by when they came (ms), of one digest and channel
-- KEYS[2]  queues    sorted set of such digests and channels by when they are due (ms)
-- KEYS[3]  arrivals  sorted set of the request ids that came for this channel of late, by when (ms)
-- KEYS[4]  cards     hash of the places where the request is to be shown
--
-- ARGV[1]  id        of the request
-- ARGV[2]  queue     the digest and the channel, as a member of queues
-- ARGV[3]  due       ms at which what is held is to be shown, at the latest
-- ARGV[4]  when      so many held are due at once; "" for no such number
-- ARGV[5]  burst     it is held only if more than so many came of late; "" to hold it in any case
-- ARGV[6]  window    ms for which an arrival counts as of late
-- ARGV[7]  place     in the hash of places
-- ARGV[8]  posted    JSON for it
-- ARGV[9]  keep      seconds that the hash of places is kept for
--
-- Returns 1 if it is held, now or by an earlier call; 0 if it is to have a card of its own.

local id, queue, due, when, burst, window, place, posted, keep = unpack(ARGV, 1, 9)

if redis.call("HEXISTS", KEYS[4], place) == 1 then
  return 1
end
for _, index in ipairs({3, 4, 5, 6, 9}) do
  if ARGV[index] ~= "" and not tonumber(ARGV[index]) then
    return redis.error_reply("ERR ARGV " .. index .. " is not a number")
  end
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if burst ~= "" then
  redis.call("ZREMRANGEBYSCORE", KEYS[3], "-inf", now - window)
  redis.call("ZADD", KEYS[3], "NX", now, id)
  redis.call("PEXPIRE", KEYS[3], window)
  if redis.call("ZCARD", KEYS[3]) <= tonumber(burst) then
    return 0
  end
end
redis.call("ZADD", KEYS[1], "NX", now, id)
if when ~= "" and redis.call("ZCARD", KEYS[1]) >= tonumber(when) then
  due = now
end
redis.call("ZADD", KEYS[2], "LT", due, queue)
redis.call("HSET", KEYS[4], place, posted)
redis.call("EXPIRE", KEYS[4], keep)
return 1
