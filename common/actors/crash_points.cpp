#include "actors/crash_points.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/result.h"

namespace lab::actors {
namespace {

/// One point's counts in the shared file. A new file is all zeros, which is what they begin with.
struct Shared {
  std::atomic<std::uint64_t> passed, hits;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

}  // namespace

struct CrashPoints::State {
  std::vector<std::string> points;
  Shared* shared = nullptr;
  std::size_t size = 0;

  // What this process is told; set before threads pass.
  std::size_t doomed = ~std::size_t{0};
  std::uint64_t passing = 0;
  Instant armed{};
  std::atomic<std::uint64_t> passed_armed{0};

  std::size_t index_of(std::string_view point) const {
    return static_cast<std::size_t>(std::find(points.begin(), points.end(), point) -
                                    points.begin());
  }
};

CrashPoints::CrashPoints(const std::filesystem::path& file, std::vector<std::string> points)
    : state_(std::make_unique<State>()) {
  state_->points = std::move(points);
  state_->size = std::max<std::size_t>(1, state_->points.size()) * sizeof(Shared);
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  // The size is the same whoever sets it, and what is there stays.
  const bool sized =
      descriptor >= 0 && ::ftruncate(descriptor, static_cast<off_t>(state_->size)) == 0;
  void* const memory =
      sized ? ::mmap(nullptr, state_->size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            : MAP_FAILED;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (memory == MAP_FAILED) {
    throw Failure(Error{
        ErrorCode::unavailable, Happened::no,
        "cannot share the crash points' counts in " + file.string() + ": " + std::strerror(error)});
  }
  state_->shared = static_cast<Shared*>(memory);
}

CrashPoints::~CrashPoints() {
  ::munmap(state_->shared, state_->size);
}

void CrashPoints::die_at(std::string_view point, std::uint64_t passing, Nanos after) {
  const std::size_t index = state_->index_of(point);
  if (index == state_->points.size())
    throw Failure("there is no crash point " + std::string(point));
  state_->doomed = index;
  state_->passing = passing;
  state_->armed = now() + after;
}

void CrashPoints::pass(std::string_view point) {
  if (arrive(point)) die(point);
}

bool CrashPoints::arrive(std::string_view point) {
  const std::size_t index = state_->index_of(point);
  if (index == state_->points.size()) return false;
  state_->shared[index].passed.fetch_add(1, std::memory_order_relaxed);
  if (index != state_->doomed || now() < state_->armed) return false;
  return state_->passed_armed.fetch_add(1) + 1 == state_->passing;
}

void CrashPoints::die(std::string_view point) {
  state_->shared[state_->index_of(point)].hits.fetch_add(1, std::memory_order_relaxed);
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();  // until the signal is there: this thread goes no further
}

std::vector<CrashPoints::Count> CrashPoints::counts() const {
  std::vector<Count> counts;
  for (std::size_t i = 0; i < state_->points.size(); ++i) {
    const Shared& shared = state_->shared[i];
    counts.push_back({state_->points[i], shared.passed.load(), shared.hits.load()});
  }
  return counts;
}

}  // namespace lab::actors
