#pragma once
// A piece of work that a pool carries from the thread that has it to the thread that does it.

#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace thread_pools {

/// Work, and whom to tell when it throws. Both lie inside the task, so a queue of tasks is a plain array and none is
/// allocated (std::function would copy, and allocate for more than two words; std::move_only_function comes with C++23).
/// Move-only. Not thread-safe: whoever holds it, owns it.
class Task {
 public:
  static constexpr std::size_t kRoom = 48;  // bytes; point to what is larger

  Task() = default;

  /// `failed` gets what `work` throws; it must not throw itself. A task that is destroyed without having run calls neither.
  template <class Work, class Failed>
  Task(Work work, Failed failed) {
    using Kept = Both<Work, Failed>;
    static_assert(sizeof(Kept) <= kRoom + sizeof(void*), "a task is small: point to the rest");
    static_assert(alignof(Kept) <= alignof(void*));
    content_ = ::new (static_cast<void*>(room_)) Kept(std::move(work), std::move(failed));
  }

  Task(Task&& other) noexcept { take(other); }
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~Task() { clear(); }

  explicit operator bool() const { return content_ != nullptr; }

  /// Throws what the work throws. At most once.
  void run() { content_->run(); }
  /// Tells the task's owner what it threw.
  void fail(std::exception_ptr thrown) noexcept { content_->fail(std::move(thrown)); }

 private:
  struct Content {
    virtual ~Content() = default;
    virtual void run() = 0;
    virtual void fail(std::exception_ptr thrown) noexcept = 0;
    virtual Content* move_to(void* place) noexcept = 0;
  };

  template <class Work, class Failed>
  struct Both final : Content {
    Both(Work&& w, Failed&& f) : work(std::move(w)), failed(std::move(f)) {}
    void run() override { work(); }
    void fail(std::exception_ptr thrown) noexcept override { failed(std::move(thrown)); }
    Content* move_to(void* place) noexcept override {
      return ::new (place) Both(std::move(work), std::move(failed));
    }
    [[no_unique_address]] Work work;
    [[no_unique_address]] Failed failed;
  };

  void take(Task& other) noexcept {
    if (other.content_ == nullptr) return;
    content_ = other.content_->move_to(room_);
    other.clear();
  }
  void clear() noexcept {
    if (content_ != nullptr) std::exchange(content_, nullptr)->~Content();
  }

  Content* content_ = nullptr;
  alignas(void*) std::byte room_[kRoom + sizeof(void*)];
};

/// What every worker does with a task: it runs once, and what it throws goes to its owner instead of ending the worker.
inline void run_safely(Task& task) noexcept {
  try {
    task.run();
  } catch (...) {
    task.fail(std::current_exception());
  }
}

/// A task and the future of its answer. One that is destroyed without having run breaks its promise, and the future says so
/// (std::future_error).
template <class Function>
auto with_future(Function function) {
  using Answer = std::invoke_result_t<Function&>;
  struct Shared {
    Function function;
    std::promise<Answer> promise;
  };
  auto shared = std::make_shared<Shared>(Shared{std::move(function), {}});
  auto future = shared->promise.get_future();
  Task task(
      [shared] {
        if constexpr (std::is_void_v<Answer>) {
          shared->function();
          shared->promise.set_value();
        } else {
          shared->promise.set_value(shared->function());
        }
      },
      [shared](std::exception_ptr thrown) { shared->promise.set_exception(std::move(thrown)); });
  return std::pair(std::move(task), std::move(future));
}

}  // namespace thread_pools
