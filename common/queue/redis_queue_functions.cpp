#include "queue/redis_queue_functions.h"

namespace lab::queue::lua {

const char* const kBase = R"(
local P = KEYS[1] .. ':'
local JOBS, CLAIMS = P .. 'jobs', P .. 'claims'
local call, byte = redis.call, string.byte
local function job(id) return P .. 'job:' .. id end
local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
-- A command with a list of any length, since unpack() is good for some thousand values. The last answer, and their sum.
local function call_with(command, key, list)
  local last, sum = 0, 0
  for i = 1, #list, 1000 do
    last = call(command, key, unpack(list, i, math.min(i + 999, #list)))
    sum = sum + last
  end
  return last, sum
end
local function look_up(hash, ids)
  if #ids == 0 then return {} end
  if #ids <= 1000 then return call('HMGET', hash, unpack(ids)) end
  local all = {}
  for i = 1, #ids, 1000 do
    local some = call('HMGET', hash, unpack(ids, i, math.min(i + 999, #ids)))
    for _, value in ipairs(some) do all[#all + 1] = value end
  end
  return all
end
local function without(list, places)
  local rest, next = {}, 1
  for i, value in ipairs(list) do
    if places[next] == i then next = next + 1 else rest[#rest + 1] = value end
  end
  return rest
end
local function wake()
  if call('LLEN', P .. 'wake') == 0 then call('RPUSH', P .. 'wake', 1) end
end
-- Is this the latest claim, and not over? Then the worker's name.
local function holder(epoch, claim)
  if claim and string.sub(claim, 1, #epoch + 1) == epoch .. ':' then return string.sub(claim, #epoch + 2) end
end
local function holder_of(id, epoch) return holder(epoch, call('HGET', CLAIMS, id)) end
-- Which of these claims are not the latest or are over, or came before in the list.
local function not_held(ids, epochs)
  local claims, seen, places = look_up(CLAIMS, ids), {}, {}
  for i, id in ipairs(ids) do
    local held = not seen[id] and holder(epochs[i], claims[i])
    if held then seen[id] = true else places[#places + 1] = i end
  end
  return places
end
)";

// The lease of a claim is named EPOCH:ID, as no other claim ever was.
const char* const kLists = R"(
local function prepare()
  -- Redis keeps a small sorted set as a list and walks through it, until one member is longer than 64 bytes.
  call('ZADD', P .. 'active', '+inf', string.rep('-', 65))
end
local function push(priority, ids)
  call_with('RPUSH', P .. 'waiting:' .. priority, ids)
  wake()
end
local function push_front(priority, id)
  call('LPUSH', P .. 'waiting:' .. priority, id)
  wake()
end
local function pop(priority, most, worker)
  return call('LPOP', P .. 'waiting:' .. priority, most) or {}
end
local function lease(claims, ends)
  local scored = {}
  for i = 1, #claims do
    scored[2 * i - 1] = ends
    scored[2 * i] = claims[i]
  end
  call_with('ZADD', P .. 'active', scored)
end
local function unlease(id, epoch) call('ZREM', P .. 'active', epoch .. ':' .. id) end
-- A lease that is there proves its claim: if all are, nobody has to be asked.
local function unlease_all(ids, epochs)
  local claims = {}
  for i = 1, #ids do claims[i] = epochs[i] .. ':' .. ids[i] end
  local _, held = call_with('ZREM', P .. 'active', claims)
  return held == #ids and {} or not_held(ids, epochs)
end
local function extend(id, epoch, lease_ms)
  call('ZADD', P .. 'active', 'XX', clock() + lease_ms, epoch .. ':' .. id)
end
local function expired(most, lease_ms)
  local claims = call('ZRANGEBYSCORE', P .. 'active', '-inf', clock() - 1, 'LIMIT', 0, most)
  call_with('ZREM', P .. 'active', claims)
  for i, claim in ipairs(claims) do claims[i] = string.match(claim, ':(.*)') end
  return claims
end
local function waiting(priority) return call('LLEN', P .. 'waiting:' .. priority) end
local function active(priority)
  return priority == 0 and math.max(call('ZCARD', P .. 'active') - 1, 0) or 0
end
)";

// An entry is waiting until the group reads it, then pending until it is acknowledged. Of claims a stream knows nothing. What a
// worker lost is pending with a consumer that is nobody's, and goes from there to the next worker, before what is new.
const char* const kStreams = R"(
local function prepare() end
local function stream(priority) return P .. 'stream:' .. priority end
local function place(id)
  return stream(call('HGET', job(id), 'r') or '1'), call('HGET', P .. 'entries', id)
end
local function push(priority, ids)
  local s = stream(priority)
  if call('EXISTS', s) == 0 then call('XGROUP', 'CREATE', s, 'workers', '0', 'MKSTREAM') end
  for _, id in ipairs(ids) do
    call('HSET', P .. 'entries', id, call('XADD', s, '*', 'id', id))
  end
  wake()
end
local NOBODY = ':'
local function push_front(priority, id)
  local s, entry = place(id)
  if not entry then return push(priority, {id}) end -- given back
  call('XCLAIM', s, 'workers', NOBODY, 0, entry, 'JUSTID')
  wake()
end
local function pop(priority, most, worker)
  local s, ids = stream(priority), {}
  if call('EXISTS', s) == 0 then return ids end
  local function add(entries)
    for _, entry in ipairs(entries) do ids[#ids + 1] = entry[2][2] end
  end
  for _, lost in ipairs(call('XPENDING', s, 'workers', '-', '+', most, NOBODY)) do
    add(call('XCLAIM', s, 'workers', worker, 0, lost[1]))
  end
  if #ids < most then
    local read = call('XREADGROUP', 'GROUP', 'workers', worker, 'COUNT', most - #ids, 'STREAMS', s, '>')
    if read then add(read[1][2]) end
  end
  return ids
end
local function lease(claims, ends) end
local function unlease(id)
  local s, entry = place(id)
  call('XACK', s, 'workers', entry)
  call('XDEL', s, entry)
  call('HDEL', P .. 'entries', id)
end
local function unlease_all(ids, epochs)
  local rejected = not_held(ids, epochs)
  for _, id in ipairs(without(ids, rejected)) do unlease(id) end
  return rejected
end
local function extend(id, epoch, lease_ms)
  local s, entry = place(id)
  local worker = string.match(call('HGET', CLAIMS, id), '^%d+:(.*)$')
  call('XCLAIM', s, 'workers', worker, 0, entry, 'JUSTID')
end
-- How many entries are pending, and how many of them with nobody.
local function pending(s)
  if call('EXISTS', s) == 0 then return 0, 0 end
  local all = call('XPENDING', s, 'workers')
  for _, consumer in ipairs(all[4] or {}) do
    if consumer[1] == NOBODY then return all[1], tonumber(consumer[2]) end
  end
  return all[1], 0
end
local function expired(most, lease_ms)
  local ids = {}
  for priority = 0, 2 do
    local s = stream(priority)
    local all, lost = pending(s)
    if all > lost then
      for _, entry in ipairs(call('XPENDING', s, 'workers', 'IDLE', lease_ms, '-', '+', most + lost)) do
        if entry[2] ~= NOBODY and #ids < tonumber(most) then
          ids[#ids + 1] = call('XRANGE', s, entry[1], entry[1])[1][2][2]
        end
      end
    end
  end
  return ids
end
local function active(priority)
  local all, lost = pending(stream(priority))
  return all - lost
end
local function waiting(priority) return call('XLEN', stream(priority)) - active(priority) end
)";

// A job of an order key is pushed when it comes first.
const char* const kOrder = R"(
local KEYED = P .. 'keyed'
local function priority_of(id) return call('HGET', job(id), 'r') or '1' end
local function push_in_order(id, key)
  if call('RPUSH', P .. 'order:' .. key, id) == 1 then
    push(priority_of(id), {id})
  else
    call('INCR', P .. 'held')
  end
end
-- This job has done its turn: the next one of its key comes.
local function next_in_order(id)
  local key = call('HGET', KEYED, id)
  if not key then return end
  call('LPOP', P .. 'order:' .. key)
  local after = call('LINDEX', P .. 'order:' .. key, 0)
  if after then
    call('DECR', P .. 'held')
    push(priority_of(after), {after})
  end
end
)";

const char* const kHistory = R"(
local function note(id, epoch, attempt, worker, what, why)
  local list = P .. 'hist:' .. id
  if call('RPUSH', list, epoch, attempt, worker, what, why) > 100 then
    call('LTRIM', list, -100, -1)
  end
end
-- From now on a claim has to look for more than the record.
local function mark(id)
  local record = call('HGET', JOBS, id)
  if string.sub(record, 1, 1) == '-' then call('HSET', JOBS, id, '+' .. string.sub(record, 2)) end
end
local function end_claim(id, epoch)
  unlease(id, epoch)
  mark(id)
  call('HSET', CLAIMS, id, epoch .. '-')
end
local function count(id, field) return call('HINCRBY', job(id), field, 1) end
)";

}  // namespace lab::queue::lua
