-- swap: change what stands under a name, if it still is what the caller saw there.
--
-- KEYS[1]  hash
--
-- ARGV[1]  name
-- ARGV[2]  seen  what stood there; "": nothing
-- ARGV[3]  text  what is to stand there; "": nothing
--
-- Returns 1 if it stands there now, written by this call or by an earlier one; 0 if it is something else.

local name, seen, text = unpack(ARGV, 1, 3)
local known = redis.call("HGET", KEYS[1], name) or ""
if known == text then
  return 1
end
if known ~= seen then
  return 0
end
if text == "" then
  redis.call("HDEL", KEYS[1], name)
else
  redis.call("HSET", KEYS[1], name, text)
end
return 1
