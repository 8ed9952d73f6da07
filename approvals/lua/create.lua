-- create: store a request that is new, and take its letter out of the inbox.
--
-- KEYS[1]  request    hash of version, body, head, seq, short, agent
-- KEYS[2]  pending    sorted set of request ids by creation (ms)
-- KEYS[3]  due        sorted set of request ids by when the clock has something to say (ms)
-- KEYS[4]  draw       sorted set of request ids by when they may be drawn (ms)
-- KEYS[5]  audit      stream; entry N of the tenant has the id N-0
-- KEYS[6]  audit:seq  the number given out last
-- KEYS[7]  outcome    string
-- KEYS[8]  permit     string
-- KEYS[9]  wake       stream of hints to the agent
-- KEYS[10] ids        sorted set of every kept request id, all scored 0
-- KEYS[11] shorts     hash of every kept request's id by its short id
-- KEYS[12] inbox      stream that the letter lies in
-- KEYS[13] approved   sorted set of request ids whose approval is not used yet, by when it was given (ms)
-- KEYS[14] freezes    hash of what is frozen; its field `version` counts the changes
-- KEYS[15] grants     hash of grants; its field `version` counts the changes
-- KEYS[16] used       hash of what was used of each grant: its count, and its sum in millionths
-- KEYS[17] twins      set of pending request ids that share another's card
-- KEYS[18] reviews    sorted set of request ids that people are to look at, by since when (ms)
-- KEYS[19] asked      sorted set of the agent's request ids by creation (ms)
-- KEYS[20] callbacks  sorted set of callback ids by when they may be made (ms)
-- KEYS[21] callback   hash of the one that this version causes
--
-- ARGV[1]  id         of the request
-- ARGV[2]  version    of the request
-- ARGV[3]  body       the request, as JSON
-- ARGV[4]  entry      the second of the audit log's two, as JSON
-- ARGV[5]  head       its hash
-- ARGV[6]  pending    score; "" for none
-- ARGV[7]  due        score; "" for none
-- ARGV[8]  draw       "1": it is to be drawn; "": it is not
-- ARGV[9]  outcome    JSON; "-" for none
-- ARGV[10] keep       ms that the outcome is kept for
-- ARGV[11] permit     JSON; "-" for none
-- ARGV[12] until      ms since the epoch at which the permit ends; "" without one
-- ARGV[13] agent      whose request it is
-- ARGV[14] submitted  the first of the audit log's two entries, as JSON
-- ARGV[15] letter     its id in the inbox; "" for none
-- ARGV[16] group      that the letter was read by
-- ARGV[17] approved   score; "" for none
-- ARGV[18] freezes    the version that the caller knew
-- ARGV[19] grant      that lets it through; "" for none
-- ARGV[20] grants     the version that the caller knew
-- ARGV[21] uses       of the grant at most
-- ARGV[22] amount     that this takes of its sum
-- ARGV[23] limit      of its sum; 0 for none
-- ARGV[24] twin       "1": it is pending and shares another's card; "": it doesn't
-- ARGV[25] review     score; "" for none
-- ARGV[26] asked      score
-- ARGV[27] callback   JSON: its agent is to be called; "": it is not
--
-- Returns {1, short} if it was new, {0, short, body} if this agent has it already (the letter is taken out all the
-- same), nil if the id is another agent's (the letter stays), {-1} if a permit would be given and what is frozen
-- has changed, {-2} if the grant has changed or has too little left.

local id, version, body, entry, head = unpack(ARGV, 1, 5)
local pending, due, draw, outcome, keep, permit, until_ms = unpack(ARGV, 6, 12)
local agent, submitted, letter, group, approved, freezes = unpack(ARGV, 13, 18)
local grant, grants, uses, amount, limit, twin, review, asked, callback = unpack(ARGV, 19, 27)

local function take_out_letter()
  if letter ~= "" then
    redis.call("XACK", KEYS[12], group, letter)
    redis.call("XDEL", KEYS[12], letter)
  end
end

local function shared(other) -- how many characters it has in common with id, from the first on
  local length = 0
  while other and length < #id and id:byte(length + 1) == other:byte(length + 1) do
    length = length + 1
  end
  return length
end

local owner, known_short, known_body = unpack(redis.call("HMGET", KEYS[1], "agent", "short", "body"))
if owner and owner ~= agent then
  return nil
end
if owner then
  take_out_letter()
  return {0, known_short, known_body}
end
if permit ~= "-" and (redis.call("HGET", KEYS[14], "version") or "0") ~= freezes then
  return {-1}
end
for _, index in ipairs({2, 6, 7, 10, 12, 17, 21, 22, 23, 25, 26}) do
  if ARGV[index] ~= "" and not tonumber(ARGV[index]) then
    return redis.error_reply("ERR ARGV " .. index .. " is not a number")
  end
end
if grant ~= "" then
  local count, sum = unpack(redis.call("HMGET", KEYS[16], grant, grant .. " sum"))
  local is_over = limit ~= "0" and (sum or 0) + amount > tonumber(limit)
  if (redis.call("HGET", KEYS[15], "version") or "0") ~= grants or (count or 0) + 1 > tonumber(uses) or is_over then
    return {-2}
  end
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = redis.call("GET", KEYS[6]) or 0
local first, second = string.format("%d", last + 1), string.format("%d", last + 2)
local after = redis.call("ZRANGEBYLEX", KEYS[10], "(" .. id, "+", "LIMIT", 0, 1)[1]
local before = redis.call("ZREVRANGEBYLEX", KEYS[10], "(" .. id, "-", "LIMIT", 0, 1)[1]
local short = id:sub(1, math.max(6, 1 + math.max(shared(before), shared(after)))) -- 6: "R-" and four letters

redis.call("XADD", KEYS[5], first .. "-0", "entry", submitted) -- first, because it alone can be refused
redis.call("XADD", KEYS[5], second .. "-0", "entry", entry)
redis.call("SET", KEYS[6], second)
redis.call("HSET", KEYS[1], "version", version, "body", body, "head", head, "seq", second, "short", short, "agent", agent)
redis.call("ZADD", KEYS[10], 0, id)
redis.call("HSET", KEYS[11], short, id)
redis.call("ZADD", KEYS[19], asked, id)

if pending ~= "" then
  redis.call("ZADD", KEYS[2], pending, id)
end
if due ~= "" then
  redis.call("ZADD", KEYS[3], due, id)
end
if draw == "1" then
  redis.call("ZADD", KEYS[4], "NX", now, id)
end
if outcome == "-" then
  redis.call("DEL", KEYS[7])
else
  redis.call("SET", KEYS[7], outcome, "PX", keep)
  redis.call("XADD", KEYS[9], "MAXLEN", "~", 1000, "*", "id", id)
end
if callback ~= "" then
  redis.call("HSET", KEYS[21], "body", callback)
  redis.call("ZADD", KEYS[20], now, id .. "-" .. version)
end
if approved ~= "" then
  redis.call("ZADD", KEYS[13], approved, id)
end
if permit ~= "-" then
  redis.call("SET", KEYS[8], permit, "PXAT", until_ms)
end
if twin == "1" then
  redis.call("SADD", KEYS[17], id)
end
if review ~= "" then
  redis.call("ZADD", KEYS[18], review, id)
end
if grant ~= "" then
  redis.call("HINCRBY", KEYS[16], grant, 1)
  redis.call("HINCRBY", KEYS[16], grant .. " sum", amount)
end
take_out_letter()
return {1, short}
