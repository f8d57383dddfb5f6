#pragma once
// The Lua functions that the scripts of redis_queue_scripts.h share; each script is a few of these texts and its own. Not for
// use outside the room.

namespace lab::queue::lua {

/// Names, the clock, batches, who holds a claim; on it stand all others.
extern const char* const kBase;
extern const char* const kLists;    // where waiting and leased jobs are: lists and a sorted set …
extern const char* const kStreams;  // … or streams; one of the two, with the same functions
extern const char* const kOrder;    // jobs of an order key
extern const char* const kHistory;  // what happened to a job beside success

}  // namespace lab::queue::lua
