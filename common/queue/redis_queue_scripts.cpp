#include "queue/redis_queue_scripts.h"

#include <string>

#include "queue/redis_queue_functions.h"

namespace lab::queue {
namespace {

constexpr const char* kEnqueue = R"(
-- Redis keeps a small hash as a list and walks through it, until one field is longer than 64 bytes. No id has a colon.
if call('HLEN', JOBS) == 0 then
  local long = string.rep(':', 65)
  call('HSET', JOBS, long, '')
  call('HSET', CLAIMS, long, '')
  prepare()
end
local ids, records, wishes, at, last = {}, {}, {}, 1, #ARGV
while at < last do
  local n = #ids + 1
  ids[n], records[n] = ARGV[at], ARGV[at + 1]
  at = at + 2
  if byte(records[n]) == 43 then -- '+': four more words follow
    wishes[n] = at
    at = at + 4
  end
end
local ready, due = {['1'] = {}}, nil
local function special(id, record, priority, delay, max, key)
  if priority ~= '1' then call('HSET', job(id), 'r', priority) end
  if max ~= '0' then call('HSET', job(id), 'm', max) end
  if key ~= '' then
    call('HSET', KEYED, id, key)
    push_in_order(id, key)
  elseif delay ~= '0' then
    due = due or clock() + 1
    call('ZADD', P .. 'delayed', due + delay, id)
  else
    ready[priority] = ready[priority] or {}
    table.insert(ready[priority], id)
  end
  return max == '0' and key == '' and '-' .. string.sub(record, 2) or record
end
local known, seen, again, fresh, normal = look_up(JOBS, ids), {}, {}, {}, ready['1']
for n, id in ipairs(ids) do
  if known[n] or seen[id] then -- an id may come twice in a batch
    again[#again + 1] = n
  else
    seen[id] = true
    local record, wish = records[n], wishes[n]
    if wish then
      record = special(id, record, unpack(ARGV, wish, wish + 3))
    else
      normal[#normal + 1] = id
    end
    fresh[#fresh + 1] = id
    fresh[#fresh + 1] = record
  end
end
call_with('HSET', JOBS, fresh)
for priority, list in pairs(ready) do
  if #list > 0 then push(priority, list) end
end
if due then wake() end
return again
)";

// What is due becomes ready; then as many as asked for are leased.
constexpr const char* kTake = R"(
local function promote(set, now)
  local ids = call('ZRANGEBYSCORE', P .. set, '-inf', now, 'LIMIT', 0, 1000)
  for _, id in ipairs(ids) do push(priority_of(id), {id}) end
  call_with('ZREM', P .. set, ids)
end
local function next_due(now)
  local least = -1
  for _, set in ipairs({'delayed', 'failed'}) do
    local first = call('ZRANGE', P .. set, 0, 0, 'WITHSCORES')
    if first[2] and (least < 0 or first[2] - now < least) then least = math.max(first[2] - now, 0) end
  end
  return least
end
local function take(worker, most, lease_ms)
  local now = clock()
  if call('EXISTS', P .. 'delayed', P .. 'failed') > 0 then
    promote('delayed', now)
    promote('failed', now)
  end
  local ids, left = {}, 0
  for priority = 0, 2 do
    if #ids < most then
      local more = pop(priority, most - #ids, worker)
      if #ids == 0 then ids = more else
        for _, id in ipairs(more) do ids[#ids + 1] = id end
      end
    end
    if #ids == most and left == 0 then left = waiting(priority) end
  end
  if #ids == 0 then return next_due(now), ids end
  local records, claims, marks, more = look_up(JOBS, ids), {}, {}, {}
  local first_mark = '1:' .. worker
  for i = 1, #ids do
    local id = ids[i]
    marks[2 * i - 1] = id
    if byte(records[i]) == 45 then -- '-': never claimed before
      claims[i], marks[2 * i] = '1:' .. id, first_mark
    else
      local claim = call('HGET', CLAIMS, id)
      local epoch = claim and string.match(claim, '^%d+') + 1 or 1
      claims[i], marks[2 * i] = epoch .. ':' .. id, epoch .. ':' .. worker
      local f = call('HMGET', job(id), 'f', 's', 'm')
      more[#more + 1] = {f[1] or '0', f[2] or '0', f[3] or '0', call('HGET', KEYED, id) or ''}
    end
  end
  lease(claims, string.format('%.0f', now + lease_ms))
  call_with('HSET', CLAIMS, marks)
  if left > 0 then wake() end -- the next sleeper, since a token wakes one only
  return -1, claims, records, more
end
)";

constexpr const char* kTurn = R"(
local function complete(keep, n)
  local ids, epochs, marks = {}, {}, {}
  for i = 1, n do ids[i], epochs[i] = ARGV[2 * i + 1], ARGV[2 * i + 2] end
  local rejected = unlease_all(ids, epochs)
  if #rejected > 0 then ids, epochs = without(ids, rejected), without(epochs, rejected) end
  if #ids == 0 then return rejected end
  for i = 1, #ids do
    marks[2 * i - 1] = ids[i]
    marks[2 * i] = epochs[i] .. '!'
  end
  call_with('HSET', CLAIMS, marks)
  local over = call_with('RPUSH', P .. 'completed', ids) - keep
  if call('EXISTS', KEYED) == 1 then
    for _, id in ipairs(ids) do next_in_order(id) end
    call_with('HDEL', KEYED, ids)
  end
  if over > 0 then
    local old = call('LPOP', P .. 'completed', over)
    call_with('HDEL', JOBS, old)
    call_with('HDEL', CLAIMS, old)
    for _, id in ipairs(old) do call('UNLINK', job(id), P .. 'hist:' .. id) end
    call('INCRBY', P .. 'forgotten', over)
  end
  return rejected
end
local n = tonumber(ARGV[2])
local rejected = n > 0 and complete(tonumber(ARGV[1]), n) or {}
local worker, most, lease_ms = ARGV[3 + 2 * n], tonumber(ARGV[4 + 2 * n]), ARGV[5 + 2 * n]
if most == 0 then return {rejected} end
return {rejected, take(worker, most, lease_ms)}
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
    note(id, epoch, failures, worker, 'failed', why)
    if failures >= tonumber(call('HGET', job(id), 'm') or ARGV[1]) then
      call('ZADD', P .. 'dead', now, id)
      next_in_order(id)
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
  if held then extend(id, ARGV[i + 1], ARGV[1]) end
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
  local epoch, worker = string.match(call('HGET', CLAIMS, id), '^(%d+):(.*)$')
  local stalls = count(id, 's')
  mark(id)
  call('HSET', CLAIMS, id, epoch .. '-')
  note(id, epoch, (call('HGET', job(id), 'f') or 0) + 1, worker, 'stalled', '')
  if stalls > tonumber(ARGV[2]) then
    unlease(id, epoch)
    call('ZADD', P .. 'dead', clock(), id)
    next_in_order(id)
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
  elseif sign == ':' then
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
return {ready, leased_now, call('ZCARD', P .. 'delayed'),
        number('forgotten') + call('LLEN', P .. 'completed'),
        call('ZCARD', P .. 'failed'), call('ZCARD', P .. 'dead')}
)";

constexpr const char* kRedrive = R"(
local id = ARGV[1]
if call('ZREM', P .. 'dead', id) == 0 then return 0 end
local key = call('HGET', KEYED, id)
call('HSET', job(id), 'f', 0, 's', 0, 'g', 0)
note(id, string.match(call('HGET', CLAIMS, id), '^%d+'), 0, '', 'redriven', '')
if key then push_in_order(id, key) else push(priority_of(id), {id}) end
return 1
)";

RedisQueueScripts scripts(const char* place) {
  const std::string base = std::string(lua::kBase) + place + lua::kOrder;
  const std::string noting = base + lua::kHistory;
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
  static const RedisQueueScripts all = scripts(lua::kLists);
  return all;
}

const RedisQueueScripts& RedisQueueScripts::on_streams() {
  static const RedisQueueScripts all = scripts(lua::kStreams);
  return all;
}

}  // namespace lab::queue
