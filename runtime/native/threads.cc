#include "threads.h"

#include <sched.h>

#include <algorithm>

namespace firn {
namespace {

// About 50 us, then as long giving way to others: on machines with more work than cores spinning alone would starve
// the thread that is waited for.
constexpr int spins = 2000, yields = 50;
// Chunks per thread: enough to even out threads that are slowed down, few enough to cost nothing.
constexpr int64_t shares = 4;
// Programs per thread from which on the last chunks are cut smaller.
constexpr int64_t many = 16;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Threads::Threads(int count) : count_(count < 1 ? 1 : count) {
  for (int i = 1; i < count_; ++i) threads_.emplace_back([this] { work(); });
}

Threads::~Threads() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void Threads::run(Kernel kernel, const void* const* views, const int64_t* dims, int64_t total) {
  if (total <= 0) return;
  if (total == 1 || count_ == 1) return kernel(views, dims, 0, total);
  kernel_ = kernel;
  views_ = views;
  dims_ = dims;
  total_ = total;
  chunks_ = cut(total);
  undone_.store((uint32_t)chunks_, std::memory_order_relaxed);
  left_.store(chunks_, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) epoch_.notify_all();
  take();
  await_chunks();
}

// Fills `part_`, and returns the number of chunks.
int64_t Threads::cut(int64_t total) {
  const int64_t all = count_ * shares;
  const int halved = total > count_ * many ? halvings : 0;
  int64_t first = 0, begin = 0;
  for (parts_ = 0; begin < total; ++parts_) {
    const int64_t left = total - begin, programs = std::max<int64_t>(1, left / all);
    const int64_t chunks = parts_ < halved && left > all ? all / 2 : (left + programs - 1) / programs;
    part_[parts_] = {first, begin, programs};
    first += chunks;
    begin += chunks * programs;
  }
  return first;
}

// A thread that was interrupted in its chunk may wait for a core: the one that this thread leaves by sleeping.
void Threads::await_chunks() {
  for (int i = 0; i < spins; ++i) {
    if (undone_.load(std::memory_order_acquire) == 0) return;
    pause();
  }
  waiting_.store(true, std::memory_order_seq_cst);
  for (uint32_t undone; (undone = undone_.load(std::memory_order_seq_cst)) != 0;) undone_.wait(undone, std::memory_order_seq_cst);
  waiting_.store(false, std::memory_order_relaxed);
}

void Threads::take() {
  for (int64_t left; (left = left_.fetch_sub(1, std::memory_order_acquire)) > 0;) {
    const int64_t chunk = chunks_ - left;
    int part = 0;
    while (part + 1 < parts_ && chunk >= part_[part + 1].first) ++part;
    const int64_t begin = part_[part].begin + (chunk - part_[part].first) * part_[part].programs;
    const int64_t end = begin + part_[part].programs < total_ ? begin + part_[part].programs : total_;
    kernel_(views_, dims_, begin, end);
    if (undone_.fetch_sub(1, std::memory_order_seq_cst) == 1 && waiting_.load(std::memory_order_seq_cst)) undone_.notify_all();
  }
}

void Threads::work() {
  uint32_t seen = 0;
  for (;;) {
    for (int i = 0; epoch_.load(std::memory_order_acquire) == seen; ++i) {
      if (i < spins) {
        pause();
      } else if (i < spins + yields) {
        sched_yield();
      } else {
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        epoch_.wait(seen, std::memory_order_seq_cst);
        sleeping_.fetch_sub(1, std::memory_order_seq_cst);
      }
    }
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take();
  }
}

}  // namespace firn
