#include "queue/redis_queue_scripts.h"

#include <string>

namespace lab::queue {
namespace {

constexpr const char* kBase = R"(
local P = KEYS[1] .. ':'
local call = redis.call
local function job(id) return P .. 'job:' .. id end
local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
-- unpack() is good for some thousand values
local function in_slices(list, act)
  for i = 1, #list, 1000 do act(unpack(list, i, math.min(i + 999, #list))) end
end
local function wake()
  if call('LLEN', P .. 'wake') == 0 then call('RPUSH', P .. 'wake', 1) end
end
)";

// Where waiting and leased jobs are: lists and a sorted set of leases.
constexpr const char* kLists = R"(
local function push(priority, ids)
  in_slices(ids, function(...) call('RPUSH', P .. 'waiting:' .. priority, ...) end)
  wake()
end
local function push_front(priority, id)
  call('LPUSH', P .. 'waiting:' .. priority, id)
  wake()
end
local function pop(priority, most, worker)
  return call('LPOP', P .. 'waiting:' .. priority, most) or {}
end
local function lease(ids, ends)
  local scored = {}
  for _, id in ipairs(ids) do
    scored[#scored + 1] = ends
    scored[#scored + 1] = id
  end
  in_slices(scored, function(...) call('ZADD', P .. 'active', ...) end)
end
local function unlease(id) return call('ZREM', P .. 'active', id) == 1 end
local function leased(id) return call('ZSCORE', P .. 'active', id) end
local function extend(id, lease_ms) call('ZADD', P .. 'active', 'XX', clock() + lease_ms, id) end
local function expired(most, lease_ms)
  local ids = call('ZRANGEBYSCORE', P .. 'active', '-inf', clock() - 1, 'LIMIT', 0, most)
  in_slices(ids, function(...) call('ZREM', P .. 'active', ...) end)
  return ids
end
local function waiting(priority) return call('LLEN', P .. 'waiting:' .. priority) end
local function active(priority) return priority == 0 and call('ZCARD', P .. 'active') or 0 end
)";

// The same on streams: an entry is waiting until the group reads it, then pending until it is acknowledged.
constexpr const char* kStreams = R"(
local function stream(priority) return P .. 'stream:' .. priority end
local function place(id)
  local f = call('HMGET', job(id), 'r', 'x')
  return stream(f[1] or '1'), f[2]
end
local function push(priority, ids)
  local s = stream(priority)
  if call('EXISTS', s) == 0 then call('XGROUP', 'CREATE', s, 'workers', '0', 'MKSTREAM') end
  for _, id in ipairs(ids) do call('HSET', job(id), 'x', call('XADD', s, '*', 'id', id)) end
  wake()
end
local function push_front(priority, id) push(priority, {id}) end
local function pop(priority, most, worker)
  local s = stream(priority)
  if call('EXISTS', s) == 0 then return {} end
  local read = call('XREADGROUP', 'GROUP', 'workers', worker, 'COUNT', most, 'STREAMS', s, '>')
  local ids = {}
  if read then
    for _, entry in ipairs(read[1][2]) do ids[#ids + 1] = entry[2][2] end
  end
  return ids
end
local function lease(ids, ends) end
local function unlease(id)
  local s, entry = place(id)
  if not entry or call('EXISTS', s) == 0 or call('XACK', s, 'workers', entry) == 0 then
    return false
  end
  call('XDEL', s, entry)
  return true
end
local function leased(id)
  local s, entry = place(id)
  if not entry or call('EXISTS', s) == 0 then return false end
  return #call('XPENDING', s, 'workers', entry, entry, 1) > 0
end
local function extend(id, lease_ms)
  local s, entry = place(id)
  call('XCLAIM', s, 'workers', call('HGET', job(id), 'w'), 0, entry, 'JUSTID')
end
local function expired(most, lease_ms)
  local ids = {}
  for priority = 0, 2 do
    local s = stream(priority)
    if call('EXISTS', s) == 1 then
      for _, entry in ipairs(call('XPENDING', s, 'workers', 'IDLE', lease_ms, '-', '+', most)) do
        ids[#ids + 1] = call('XRANGE', s, entry[1], entry[1])[1][2][2]
        call('XACK', s, 'workers', entry[1])
        call('XDEL', s, entry[1])
      end
    end
  end
  return ids
end
local function active(priority)
  local s = stream(priority)
  return call('EXISTS', s) == 1 and call('XPENDING', s, 'workers')[1] or 0
end
local function waiting(priority) return call('XLEN', stream(priority)) - active(priority) end
)";

// A job of an order key is pushed when it comes first.
constexpr const char* kOrder = R"(
local function priority_of(id) return call('HGET', job(id), 'r') or '1' end
local function push_in_order(id, key)
  if call('RPUSH', P .. 'order:' .. key, id) == 1 then
    push(priority_of(id), {id})
  else
    call('INCR', P .. 'held')
  end
end
local function next_in_order(key)
  if not key then return end
  call('LPOP', P .. 'order:' .. key)
  local id = call('LINDEX', P .. 'order:' .. key, 0)
  if id then
    call('DECR', P .. 'held')
    push(priority_of(id), {id})
  end
end
)";

constexpr const char* kHistory = R"(
local function note(id, epoch, attempt, worker, what, why)
  local list = P .. 'hist:' .. id
  if call('RPUSH', list, epoch, attempt, worker or '', what, why) > 100 then
    call('LTRIM', list, -100, -1)
  end
end
)";

constexpr const char* kEnqueue = R"(
local added, ready, due = {}, {}, nil
for i = 1, #ARGV, 6 do
  local id, priority, delay, max, key = ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local new = call('HSETNX', job(id), 'p', ARGV[i + 1])
  added[#added + 1] = new
  if new == 1 then
    if priority ~= '1' then call('HSET', job(id), 'r', priority) end
    if max ~= '0' then call('HSET', job(id), 'm', max) end
    if key ~= '' then
      call('HSET', job(id), 'k', key)
      push_in_order(id, key)
    elseif delay ~= '0' then
      due = due or clock() + 1
      call('ZADD', P .. 'delayed', due + delay, id)
    else
      local ids = ready[priority] or {}
      ids[#ids + 1] = id
      ready[priority] = ids
    end
  end
end
for priority, ids in pairs(ready) do push(priority, ids) end
if due then wake() end
return added
)";

// What is due becomes ready; then as many as asked for are leased.
constexpr const char* kTake = R"(
local function promote(set, now)
  local ids = call('ZRANGEBYSCORE', P .. set, '-inf', now, 'LIMIT', 0, 1000)
  for _, id in ipairs(ids) do push(priority_of(id), {id}) end
  in_slices(ids, function(...) call('ZREM', P .. set, ...) end)
end
local function next_due(now)
  local least = -1
  for _, set in ipairs({'delayed', 'failed'}) do
    local first = call('ZRANGE', P .. set, 0, 0, 'WITHSCORES')
    if first[2] and (least < 0 or first[2] - now < least) then least = math.max(first[2] - now, 0) end
  end
  return least
end
local function take(reply, worker, most, lease_ms)
  local now = clock()
  promote('delayed', now)
  promote('failed', now)
  local ids, left = {}, 0
  for priority = 0, 2 do
    if #ids < most then
      for _, id in ipairs(pop(priority, most - #ids, worker)) do ids[#ids + 1] = id end
    end
    if #ids == most and left == 0 then left = waiting(priority) end
  end
  lease(ids, now + lease_ms)
  reply[1] = #ids == 0 and next_due(now) or -1
  for _, id in ipairs(ids) do
    local f = call('HMGET', job(id), 'p', 'e', 'f', 's', 'm', 'k')
    local epoch = (f[2] or 0) + 1
    call('HSET', job(id), 'e', epoch, 'w', worker)
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, f[1], epoch, f[3] or '0'
    reply[n + 5], reply[n + 6], reply[n + 7] = f[4] or '0', f[5] or '0', f[6] or ''
  end
  if left > 0 then wake() end -- the next sleeper, since a token wakes one only
end
)";

constexpr const char* kTurn = R"(
local function complete(keep, first, last)
  local answers, done = {}, {}
  for i = first, last, 2 do
    local id = ARGV[i]
    local f = call('HMGET', job(id), 'e', 'k')
    local accepted = f[1] == ARGV[i + 1] and unlease(id)
    answers[#answers + 1] = accepted and 1 or 0
    if accepted then
      call('HSET', job(id), 'd', 1)
      done[#done + 1] = id
      next_in_order(f[2])
    end
  end
  if #done == 0 then return answers end
  call('INCRBY', P .. 'done', #done)
  in_slices(done, function(...) call('RPUSH', P .. 'completed', ...) end)
  local over = call('LLEN', P .. 'completed') - keep
  if over > 0 then
    for _, id in ipairs(call('LPOP', P .. 'completed', over)) do
      call('UNLINK', job(id), P .. 'hist:' .. id)
    end
  end
  return answers
end
local n = tonumber(ARGV[2])
local completed = n > 0 and complete(ARGV[1], 3, 2 + 2 * n) or {}
local claimed = {-1}
local most = tonumber(ARGV[4 + 2 * n])
if most > 0 then take(claimed, ARGV[3 + 2 * n], most, ARGV[5 + 2 * n]) end
return {completed, claimed}
)";

constexpr const char* kFail = R"(
local answers, now = {}, clock()
for i = 2, #ARGV, 4 do
  local id, epoch, why, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  local f = call('HMGET', job(id), 'e', 'f', 'm', 'k', 'w')
  local accepted = f[1] == epoch and unlease(id)
  answers[#answers + 1] = accepted and 1 or 0
  if accepted then
    local failures = call('HINCRBY', job(id), 'f', 1)
    note(id, epoch, failures, f[5], 'failed', why)
    if failures >= tonumber(f[3] or ARGV[1]) then
      call('ZADD', P .. 'dead', now, id)
      next_in_order(f[4])
    elseif delay > 0 then
      call('ZADD', P .. 'failed', now + 1 + delay, id)
      wake()
    else
      push(priority_of(id), {id})
    end
  end
end
return answers
)";

constexpr const char* kRenew = R"(
local answers = {}
for i = 2, #ARGV, 2 do
  local id = ARGV[i]
  local held = call('HGET', job(id), 'e') == ARGV[i + 1] and leased(id)
  answers[#answers + 1] = held and 1 or 0
  if held then extend(id, ARGV[1]) end
end
return answers
)";

constexpr const char* kGiveBack = R"(
local answers = {}
for i = #ARGV - 1, 1, -2 do
  local id, epoch = ARGV[i], ARGV[i + 1]
  local f = call('HMGET', job(id), 'e', 'f', 'w')
  local accepted = f[1] == epoch and unlease(id)
  answers[(i + 1) / 2] = accepted and 1 or 0
  if accepted then
    note(id, epoch, (f[2] or 0) + 1, f[3], 'gave back', '')
    push_front(priority_of(id), id)
  end
end
return answers
)";

constexpr const char* kProgress = R"(
local id = ARGV[1]
if call('HGET', job(id), 'e') ~= ARGV[2] or not leased(id) then return 0 end
call('HSET', job(id), 'g', ARGV[3])
return 1
)";

constexpr const char* kSweep = R"(
local ids = expired(ARGV[1], ARGV[3])
for i = #ids, 1, -1 do
  local id = ids[i]
  local f = call('HMGET', job(id), 'e', 'f', 'w', 'k')
  local stalls = call('HINCRBY', job(id), 's', 1)
  note(id, f[1], (f[2] or 0) + 1, f[3], 'stalled', '')
  if stalls > tonumber(ARGV[2]) then
    call('ZADD', P .. 'dead', clock(), id)
    next_in_order(f[4])
  else
    push_front(priority_of(id), id)
  end
end
return #ids
)";

constexpr const char* kDescribe = R"(
local function describe(id)
  local f = call('HMGET', job(id), 'd', 'f', 's', 'm', 'e', 'g', 'p')
  if not f[7] then return false end
  local state = 'waiting'
  if f[1] then
    state = 'completed'
  elseif leased(id) then
    state = 'active'
  else
    for _, set in ipairs({'delayed', 'failed', 'dead'}) do
      if call('ZSCORE', P .. set, id) then state = set end
    end
  end
  local zero = '0'
  return {id, f[7], state, f[2] or zero, f[3] or zero, f[4] or zero, f[5] or zero, f[6] or zero,
          call('LRANGE', P .. 'hist:' .. id, 0, -1)}
end
)";

constexpr const char* kStatus = "return describe(ARGV[1])";

constexpr const char* kDead = R"(
local letters = {}
for _, id in ipairs(call('ZRANGE', P .. 'dead', 0, ARGV[1] - 1)) do
  letters[#letters + 1] = describe(id)
end
return letters
)";

constexpr const char* kCounts = R"(
local function number(key) return tonumber(call('GET', P .. key) or 0) end
local ready, leased_now = number('held'), 0
for priority = 0, 2 do
  ready = ready + waiting(priority)
  leased_now = leased_now + active(priority)
end
return {ready, leased_now, call('ZCARD', P .. 'delayed'), number('done'),
        call('ZCARD', P .. 'failed'), call('ZCARD', P .. 'dead')}
)";

constexpr const char* kRedrive = R"(
local id = ARGV[1]
if call('ZREM', P .. 'dead', id) == 0 then return 0 end
local f = call('HMGET', job(id), 'e', 'k')
call('HSET', job(id), 'f', 0, 's', 0, 'g', 0)
note(id, f[1] or 0, 0, '', 'redriven', '')
if f[2] then push_in_order(id, f[2]) else push(priority_of(id), {id}) end
return 1
)";

RedisQueueScripts scripts(const char* place) {
  const std::string base = std::string(kBase) + place + kOrder;
  const std::string noting = base + kHistory;
  const std::string describing = base + kDescribe;
  using infra::RedisScript;
  return {.enqueue = RedisScript(base + kEnqueue),
          .turn = RedisScript(base + kTake + kTurn),
          .fail = RedisScript(noting + kFail),
          .renew = RedisScript(base + kRenew),
          .give_back = RedisScript(noting + kGiveBack),
          .progress = RedisScript(base + kProgress),
          .sweep = RedisScript(noting + kSweep),
          .status = RedisScript(describing + kStatus),
          .counts = RedisScript(base + kCounts),
          .dead = RedisScript(describing + kDead),
          .redrive = RedisScript(noting + kRedrive)};
}

}  // namespace

const RedisQueueScripts& RedisQueueScripts::on_lists() {
  static const RedisQueueScripts all = scripts(kLists);
  return all;
}

const RedisQueueScripts& RedisQueueScripts::on_streams() {
  static const RedisQueueScripts all = scripts(kStreams);
  return all;
}

}  // namespace lab::queue
