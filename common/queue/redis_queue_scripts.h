#pragma once
// The Lua scripts of the queues that live in Redis. Not for use outside the room.
//
// One queue's keys, all under the hash tag {queue:NAME}, so that they share a slot of a cluster:
//   jobs        hash   id → payload, after a '-' when no claim needs to know more, else after a '+': it was claimed and
//                      came back, or job:ID has something that a claim must know
//   claims      hash   id → epoch and worker of the latest claim: "3:worker", "3!" when it is completed, "3-" when its
//                      lease is over for another reason
//   job:ID      hash   r priority, m max attempts (each only when it is not the default), f failures, s stalls,
//                      g progress; most jobs never have one
//   hist:ID     list   what happened to it beside success, five values an entry
//   delayed, failed    sorted sets, by when they are due (milliseconds of the server's clock); dead, by time of death
//   completed   list   the last ones; forgotten: how many there were before
//   keyed       hash   id → order key, of jobs that have one and are not completed
//   order:KEY   list   the jobs of an order key; only the first may run. held: how many are not the first
//   wake        list   at most one token: somebody who sleeps should look
//   lists only:   waiting:0 … waiting:2, a list each; active, a sorted set of "epoch:id" by when the lease ends: such an
//                 entry is there as long as the claim holds
//   streams only: stream:0 … stream:2, a stream each, with the consumer group `workers`; entries, a hash: id → entry
//
// A job's state is where its id is, so that no script has to write it down. What every job needs is in hashes of the whole
// queue: a script then asks for all jobs of a batch in one call, and calls are what a script costs. Each word of a call or
// an answer costs as well, so what is usual is not said: neither what is special about a job that is not, nor that a
// completion was accepted.

#include "infra/redis.h"

namespace lab::queue {

struct RedisQueueScripts {
  /// For each job: id, '-' and payload. Or id, '+' and payload, priority, delay, max attempts, order key. Answers with the
  /// places of those that were known, from 1.
  infra::RedisScript enqueue;
  /// keep, n, n × (id, epoch), worker, most, lease: completes, then claims. Answers with the places of the rejected; the
  /// milliseconds until the next job is due, or -1; "epoch:id" of each claim; their records; of each record with a '+'
  /// failures, stalls, max attempts, order key.
  infra::RedisScript turn;
  infra::RedisScript fail;       // max attempts, then (id, epoch, error, delay) …
  infra::RedisScript renew;      // lease, then (id, epoch) …
  infra::RedisScript give_back;  // (id, epoch) …
  infra::RedisScript progress;   // id, epoch, percent
  infra::RedisScript sweep;      // most, max stalls, lease (streams)
  infra::RedisScript status;     // id
  infra::RedisScript counts;
  infra::RedisScript dead;     // most
  infra::RedisScript redrive;  // id

  static const RedisQueueScripts& on_lists();
  static const RedisQueueScripts& on_streams();
};

}  // namespace lab::queue
