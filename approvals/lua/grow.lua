-- grow: add entries to the log's tree, unless somebody else has already.
--
-- KEYS[1]  audit:tree  hash: `size`, and LEVEL/TILE → the hashes of that tile, in hex
--
-- ARGV[1]  expected    the size that the caller knew
-- ARGV[2]  size        from now on
-- ARGV[3]  and so on   the name of a tile and what it holds now, for each that has changed
--
-- Returns 1, also when it has that size already: who grows it from the same log writes the same; 0 if it has moved on
-- to another.

local expected, size = ARGV[1], ARGV[2]
local known = redis.call("HGET", KEYS[1], "size") or "0"
if known == size then
  return 1
end
if known ~= expected or #ARGV % 2 ~= 0 then
  return 0
end
for index = 3, #ARGV, 2 do
  redis.call("HSET", KEYS[1], ARGV[index], ARGV[index + 1])
end
redis.call("HSET", KEYS[1], "size", size)
return 1
