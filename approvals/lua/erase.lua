-- erase: put entries of the log, of which something was erased, in the place of those that were written.
--
-- A stream can't be changed, and what is deleted from one stays in memory until all of its block is. So the
-- entries around are moved out as well: whoever reads the log reads the stream together with what lies beside it.
--
-- KEYS[1]  audit         stream; entry N of the tenant has the id N-0
-- KEYS[2]  audit:beside  sorted set of entries, as JSON, by number
--
-- ARGV[1]  reach         how many entries before and after are moved out
-- ARGV[2]  and so on     number and entry, as JSON, for each
--
-- Returns 1, also when it is done again.

local reach = tonumber(ARGV[1])
for index = 2, #ARGV, 2 do
  if not reach or not tonumber(ARGV[index]) or not ARGV[index + 1] then
    return redis.error_reply("ERR an entry needs a number")
  end
end
for index = 2, #ARGV, 2 do
  local seq = tonumber(ARGV[index])
  local first, last = string.format("%d-0", math.max(1, seq - reach)), string.format("%d-0", seq + reach)
  for _, found in ipairs(redis.call("XRANGE", KEYS[1], first, last)) do
    redis.call("ZADD", KEYS[2], string.match(found[1], "^%d+"), found[2][2])
    redis.call("XDEL", KEYS[1], found[1])
  end
  redis.call("ZREMRANGEBYSCORE", KEYS[2], seq, seq)
  redis.call("ZADD", KEYS[2], seq, ARGV[index + 1])
end
return 1
