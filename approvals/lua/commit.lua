-- commit: store a request's next version, unless somebody else has already, and take its letter out of the inbox.
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
-- KEYS[10] unseen     sorted set of request ids that ended out of the ordinary, by when (ms)
-- KEYS[11] approved   sorted set of request ids whose approval is not used yet, by when it was given (ms)
-- KEYS[12] freezes    hash of what is frozen; its field `version` counts the changes
-- KEYS[13] streaks    hash of how many of each agent's requests people have rejected in a row
-- KEYS[14] twins      set of pending request ids that share another's card
-- KEYS[15] reviews    sorted set of request ids that people are to look at, by since when (ms)
-- KEYS[16] undo       hash of what its agent is asked to undo, by request id
-- KEYS[17] callbacks  sorted set of callback ids by when they may be made (ms)
-- KEYS[18] callback   hash of the one that this version causes
-- KEYS[19] inbox      stream that the letter lies in
--
-- ARGV[1]  id         of the request
-- ARGV[2]  expected   the version the caller decided from
-- ARGV[3]  body       the request after the event, as JSON
-- ARGV[4]  entry      of the audit log, as JSON
-- ARGV[5]  head       its hash
-- ARGV[6]  pending    score; "" takes it out
-- ARGV[7]  due        score; "" takes it out
-- ARGV[8]  draw       "1": it is to be drawn, now or when whoever is at it has done; "": as it is
-- ARGV[9]  outcome    JSON; "-" deletes it; "" leaves it as it is
-- ARGV[10] keep       ms that the outcome is kept for
-- ARGV[11] permit     JSON; "-" deletes it; "!" deletes it, and nothing is written if it is gone already
--                     (the agent has taken it); "" leaves it as it is
-- ARGV[12] until      ms since the epoch at which the permit ends; "" without one
-- ARGV[13] unseen     score; "" takes it out
-- ARGV[14] approved   score; "" takes it out
-- ARGV[15] freezes    the version that the caller knew
-- ARGV[16] agent      whose request it is
-- ARGV[17] streak     "1": one more rejection; "0": none in a row any more; "": as it is
-- ARGV[18] twin       "1": it is pending and shares another's card; "": it doesn't
-- ARGV[19] review     score; "" takes it out
-- ARGV[20] undo       JSON; "-" takes it out; "" leaves it as it is
-- ARGV[21] callback   JSON: its agent is to be called; "": it is not
-- ARGV[22] letter     that wants the change, its id in the inbox; "" for none
-- ARGV[23] group      that the letter was read by
--
-- Returns the entry's number, also when this very commit was written before; nil if the version has moved on,
-- or a permit would be given and what is frozen has changed;
-- -1 if the permit had to be there and is gone.
--
-- There are no rules about approvals here; those are in machine.py.

local id, expected, body, entry, head = unpack(ARGV, 1, 5)
local pending, due, draw, outcome, keep, permit, until_ms, unseen = unpack(ARGV, 6, 13)
local approved, freezes, agent, streak, twin, review, undo, callback = unpack(ARGV, 14, 21)
local letter, group = unpack(ARGV, 22, 23)

local next_version = string.format("%d", tonumber(expected) + 1)
local version, known_head, known_seq = unpack(redis.call("HMGET", KEYS[1], "version", "head", "seq"))
if version == next_version and known_head == head then
  return tonumber(known_seq) -- ours, and its reply was lost
end
if version ~= expected then
  return nil
end
local is_given = permit ~= "" and permit ~= "-" and permit ~= "!"
if is_given and (redis.call("HGET", KEYS[12], "version") or "0") ~= freezes then
  return nil
end
if permit == "!" and redis.call("EXISTS", KEYS[8]) == 0 then
  return -1
end
for _, index in ipairs({6, 7, 10, 12, 13, 14, 19}) do
  if ARGV[index] ~= "" and not tonumber(ARGV[index]) then
    return redis.error_reply("ERR ARGV " .. index .. " is not a number")
  end
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seq = string.format("%d", (redis.call("GET", KEYS[6]) or 0) + 1)

redis.call("XADD", KEYS[5], seq .. "-0", "entry", entry) -- first, because it alone can be refused
redis.call("SET", KEYS[6], seq)
redis.call("HSET", KEYS[1], "version", next_version, "body", body, "head", head, "seq", seq)

if pending == "" then
  redis.call("ZREM", KEYS[2], id)
else
  redis.call("ZADD", KEYS[2], pending, id)
end
if due == "" then
  redis.call("ZREM", KEYS[3], id)
else
  redis.call("ZADD", KEYS[3], due, id)
end
if draw == "1" then
  redis.call("ZADD", KEYS[4], "NX", now, id)
end
if outcome == "-" then
  redis.call("DEL", KEYS[7])
elseif outcome ~= "" then
  redis.call("SET", KEYS[7], outcome, "PX", keep)
  redis.call("XADD", KEYS[9], "MAXLEN", "~", 1000, "*", "id", id)
end
if unseen == "" then
  redis.call("ZREM", KEYS[10], id)
else
  redis.call("ZADD", KEYS[10], unseen, id)
end
if approved == "" then
  redis.call("ZREM", KEYS[11], id)
else
  redis.call("ZADD", KEYS[11], approved, id)
end
if review == "" then
  redis.call("ZREM", KEYS[15], id)
else
  redis.call("ZADD", KEYS[15], review, id)
end
if undo == "-" then
  redis.call("HDEL", KEYS[16], id)
elseif undo ~= "" then
  redis.call("HSET", KEYS[16], id, undo)
  redis.call("XADD", KEYS[9], "MAXLEN", "~", 1000, "*", "id", id, "undo", "1")
end
if callback ~= "" then
  redis.call("HSET", KEYS[18], "body", callback)
  redis.call("ZADD", KEYS[17], now, id .. "-" .. next_version)
end
if twin == "" then
  redis.call("SREM", KEYS[14], id)
end
if streak == "1" then
  redis.call("HINCRBY", KEYS[13], agent, 1)
elseif streak == "0" then
  redis.call("HDEL", KEYS[13], agent)
end
if permit == "-" or permit == "!" then
  redis.call("DEL", KEYS[8])
elseif is_given then
  redis.call("SET", KEYS[8], permit, "PXAT", until_ms)
end
if letter ~= "" then
  redis.call("XACK", KEYS[19], group, letter)
  redis.call("XDEL", KEYS[19], letter)
end
return tonumber(seq)
