#include "queue/redis_queue_scripts.h"

#include <string>

namespace lab::queue {
namespace {

constexpr const char* kBase = R"(
local P = KEYS[1] .. ':'
local JOBS, CLAIMS = P .. 'jobs', P .. 'claims'
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
local function look_up(hash, ids)
  local all = {}
  in_slices(ids, function(...)
    local some = call('HMGET', hash, ...)
    if #ids <= 1000 then all = some return end
    for _, value in ipairs(some) do all[#all + 1] = value end
  end)
  return all
end
local function wake()
  if call('LLEN', P .. 'wake') == 0 then call('RPUSH', P .. 'wake', 1) end
end
-- Is this the latest claim, with its lease? Then the worker's name.
local function holder(id, epoch, claim)
  local sign = claim and string.sub(claim, 1, #epoch + 1)
  if sign == epoch .. ':' or sign == epoch .. '@' then return string.sub(claim, #epoch + 2) end
end
local function holder_of(id, epoch) return holder(id, epoch, call('HGET', CLAIMS, id)) end
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
-- Redis keeps a small sorted set as a list and walks through it, until one member is longer than 64 bytes.
local function lease(ids, ends)
  if #ids == 0 then return end
  if call('ZCARD', P .. 'active') == 0 then
    call('ZADD', P .. 'active', '+inf', string.rep('-', 65))
  end
  local scored = {}
  for _, id in ipairs(ids) do
    scored[#scored + 1] = ends
    scored[#scored + 1] = id
  end
  in_slices(scored, function(...) call('ZADD', P .. 'active', ...) end)
end
local function unlease(ids)
  in_slices(ids, function(...) call('ZREM', P .. 'active', ...) end)
end
local function extend(id, lease_ms) call('ZADD', P .. 'active', 'XX', clock() + lease_ms, id) end
local function expired(most, lease_ms)
  local ids = call('ZRANGEBYSCORE', P .. 'active', '-inf', clock() - 1, 'LIMIT', 0, most)
  in_slices(ids, function(...) call('ZREM', P .. 'active', ...) end)
  return ids
end
local function waiting(priority) return call('LLEN', P .. 'waiting:' .. priority) end
local function active(priority)
  return priority == 0 and math.max(call('ZCARD', P .. 'active') - 1, 0) or 0
end
)";

// The same on streams: an entry is waiting until the group reads it, then pending until it is acknowledged.
constexpr const char* kStreams = R"(
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
local function unlease(ids)
  for _, id in ipairs(ids) do
    local s, entry = place(id)
    call('XACK', s, 'workers', entry)
    call('XDEL', s, entry)
    call('HDEL', P .. 'entries', id)
  end
end
local function extend(id, lease_ms)
  local s, entry = place(id)
  local worker = string.match(call('HGET', CLAIMS, id), '^%d+.(.*)$')
  call('XCLAIM', s, 'workers', worker, 0, entry, 'JUSTID')
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
  unlease({id})
  mark(id)
  call('HSET', CLAIMS, id, epoch .. '-')
end
local function count(id, field) return call('HINCRBY', job(id), field, 1) end
)";

constexpr const char* kEnqueue = R"(
-- Redis keeps a small hash as a list and walks through it, until one field is longer than 64 bytes. No id has a colon.
if call('HLEN', JOBS) == 0 then
  local long = string.rep(':', 65)
  call('HSET', JOBS, long, '')
  call('HSET', CLAIMS, long, '')
end
local ids = {}
for i = 1, #ARGV, 6 do ids[#ids + 1] = ARGV[i] end
local known, seen, added, records, ready, due = look_up(JOBS, ids), {}, {}, {}, {}, nil
for n, id in ipairs(ids) do
  local i = 6 * n - 5
  local priority, delay, max, key = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local new = not known[n] and not seen[id] -- an id may come twice in a batch
  added[n] = new and 1 or 0
  if new then
    seen[id] = true
    records[#records + 1] = id
    records[#records + 1] = ((max ~= '0' or key ~= '') and '+' or '-') .. ARGV[i + 1]
    if priority ~= '1' then call('HSET', job(id), 'r', priority) end
    if max ~= '0' then call('HSET', job(id), 'm', max) end
    if key ~= '' then
      call('HSET', job(id), 'k', key)
      push_in_order(id, key)
    elseif delay ~= '0' then
      due = due or clock() + 1
      call('ZADD', P .. 'delayed', due + delay, id)
    else
      local list = ready[priority] or {}
      list[#list + 1] = id
      ready[priority] = list
    end
  end
end
in_slices(records, function(...) call('HSET', JOBS, ...) end)
for priority, list in pairs(ready) do push(priority, list) end
if due then wake() end
return added
)";

// What is due becomes ready; then as many as asked for are leased. Two texts a job: each element of a reply costs as much
// as a small command.
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
  lease(ids, string.format('%.0f', now + lease_ms))
  reply[1] = #ids == 0 and next_due(now) or -1
  local records, marks, n = look_up(JOBS, ids), {}, 1
  local first_claim = '1:' .. worker
  for i, id in ipairs(ids) do
    local record = records[i]
    marks[2 * i - 1] = id
    reply[n + 2] = record
    if string.sub(record, 1, 1) == '-' then -- never claimed before
      marks[2 * i] = first_claim
      reply[n + 1] = '1:' .. id
      n = n + 2
    else
      local claim = call('HGET', CLAIMS, id)
      local epoch = claim and string.match(claim, '^%d+') + 1 or 1
      local f = call('HMGET', job(id), 'f', 's', 'm', 'k')
      marks[2 * i] = epoch .. (f[4] and '@' or ':') .. worker
      reply[n + 1] = epoch .. ':' .. id
      reply[n + 3] = {f[1] or '0', f[2] or '0', f[3] or '0', f[4] or ''}
      n = n + 3
    end
  end
  in_slices(marks, function(...) call('HSET', CLAIMS, ...) end)
  if left > 0 then wake() end -- the next sleeper, since a token wakes one only
end
)";

constexpr const char* kTurn = R"(
local function complete(keep, first, last)
  local ids, answers, done, marks, keys, seen = {}, {}, {}, {}, {}, {}
  for i = first, last, 2 do ids[#ids + 1] = ARGV[i] end
  local claims = look_up(CLAIMS, ids)
  for i, id in ipairs(ids) do
    local epoch = ARGV[first + 2 * i - 1]
    answers[i] = 0
    if not seen[id] and holder(id, epoch, claims[i]) then
      answers[i], seen[id] = 1, true
      done[#done + 1] = id
      marks[#marks + 1] = id
      marks[#marks + 1] = epoch .. '!'
      if string.sub(claims[i], #epoch + 1, #epoch + 1) == '@' then
        keys[#keys + 1] = call('HGET', job(id), 'k')
      end
    end
  end
  if #done == 0 then return answers end
  unlease(done)
  in_slices(marks, function(...) call('HSET', CLAIMS, ...) end)
  local kept
  in_slices(done, function(...) kept = call('RPUSH', P .. 'completed', ...) end)
  for _, key in ipairs(keys) do next_in_order(key) end
  call('INCRBY', P .. 'done', #done)
  local over = kept - keep
  if over > 0 then
    local old = call('LPOP', P .. 'completed', over)
    in_slices(old, function(...)
      call('HDEL', JOBS, ...)
      call('HDEL', CLAIMS, ...)
    end)
    for _, id in ipairs(old) do call('UNLINK', job(id), P .. 'hist:' .. id) end
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
  local worker = holder_of(id, epoch)
  answers[#answers + 1] = worker and 1 or 0
  if worker then
    end_claim(id, epoch)
    local failures = count(id, 'f')
    local f = call('HMGET', job(id), 'm', 'k')
    note(id, epoch, failures, worker, 'failed', why)
    if failures >= tonumber(f[1] or ARGV[1]) then
      call('ZADD', P .. 'dead', now, id)
      next_in_order(f[2])
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
  local held = holder_of(id, ARGV[i + 1])
  answers[#answers + 1] = held and 1 or 0
  if held then extend(id, ARGV[1]) end
end
return answers
)";

constexpr const char* kGiveBack = R"(
local answers = {}
for i = #ARGV - 1, 1, -2 do
  local id, epoch = ARGV[i], ARGV[i + 1]
  local worker = holder_of(id, epoch)
  answers[(i + 1) / 2] = worker and 1 or 0
  if worker then
    end_claim(id, epoch)
    note(id, epoch, (call('HGET', job(id), 'f') or 0) + 1, worker, 'gave back', '')
    push_front(priority_of(id), id)
  end
end
return answers
)";

constexpr const char* kProgress = R"(
local id = ARGV[1]
if not holder_of(id, ARGV[2]) then return 0 end
call('HSET', job(id), 'g', ARGV[3])
return 1
)";

constexpr const char* kSweep = R"(
local ids = expired(ARGV[1], ARGV[3])
for i = #ids, 1, -1 do
  local id = ids[i]
  local epoch, worker = string.match(call('HGET', CLAIMS, id), '^(%d+).(.*)$')
  local stalls = count(id, 's')
  mark(id)
  call('HSET', CLAIMS, id, epoch .. '-')
  local f = call('HMGET', job(id), 'f', 'k')
  note(id, epoch, (f[1] or 0) + 1, worker, 'stalled', '')
  if stalls > tonumber(ARGV[2]) then
    call('ZADD', P .. 'dead', clock(), id)
    next_in_order(f[2])
  else
    push_front(priority_of(id), id)
  end
end
return #ids
)";

constexpr const char* kDescribe = R"(
local function describe(id)
  local record = call('HGET', JOBS, id)
  if not record then return false end
  local f = call('HMGET', job(id), 'f', 's', 'm', 'g')
  local epoch, sign = string.match(call('HGET', CLAIMS, id) or '0-', '^(%d+)(.)')
  local state = 'waiting'
  if sign == '!' then
    state = 'completed'
  elseif sign == ':' or sign == '@' then
    state = 'active'
  else
    for _, set in ipairs({'delayed', 'failed', 'dead'}) do
      if call('ZSCORE', P .. set, id) then state = set end
    end
  end
  local zero = '0'
  return {id, string.sub(record, 2), state, f[1] or zero, f[2] or zero, f[3] or zero, epoch, f[4] or zero,
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
local key = call('HGET', job(id), 'k')
call('HSET', job(id), 'f', 0, 's', 0, 'g', 0)
note(id, string.match(call('HGET', CLAIMS, id), '^%d+'), 0, '', 'redriven', '')
if key then push_in_order(id, key) else push(priority_of(id), {id}) end
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
