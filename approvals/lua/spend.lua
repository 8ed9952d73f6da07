-- spend: take something from a budget, if all of it is there.
--
-- KEYS[1]  spent   sorted set of who took something in the window, by when (ms)
-- KEYS[2]  sums    hash: who → how much, and in the field "" the total; whole numbers
--
-- ARGV[1]  who     for whom it is taken: once, however often it is asked
-- ARGV[2]  amount  a whole number, 0 or more
-- ARGV[3]  count   how many may take something in the window
-- ARGV[4]  limit   how much they may take together; "" for no limit
-- ARGV[5]  window  ms
--
-- Returns 1 if it was taken, now or before; 0 if there is not enough left, and then nothing was.

local who, limit = ARGV[1], tonumber(ARGV[4])
local amount, count, window = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
if who == "" or not amount or amount < 0 or not count or not window or (ARGV[4] ~= "" and not limit) then
  return redis.error_reply("ERR amount, count, limit and window must be numbers")
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if redis.call("ZSCORE", KEYS[1], who) then
  return 1
end
local total = tonumber(redis.call("HGET", KEYS[2], "") or "0")
local over = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now - window)
for _, gone in ipairs(over) do
  total = total - tonumber(redis.call("HGET", KEYS[2], gone) or "0")
  redis.call("HDEL", KEYS[2], gone)
  redis.call("ZREM", KEYS[1], gone)
end
local is_granted = redis.call("ZCARD", KEYS[1]) < count and (not limit or total + amount <= limit)
if is_granted then
  total = total + amount
  redis.call("ZADD", KEYS[1], now, who)
  redis.call("HSET", KEYS[2], who, string.format("%.0f", amount))
end
redis.call("HSET", KEYS[2], "", string.format("%.0f", total)) -- whole to 2^53: adding up is exact
redis.call("PEXPIRE", KEYS[1], window)
redis.call("PEXPIRE", KEYS[2], window)
return is_granted and 1 or 0
