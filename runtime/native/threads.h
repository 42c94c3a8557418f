// Worker threads that wait for the next launch by spinning for a while, since launches follow each other within
// microseconds; without work, and where there are more threads than free cores, they sleep.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace firn {

using Kernel = void (*)(const void* const* views, const int64_t* dims, int64_t begin, int64_t end);

class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  // Runs programs 0 .. total - 1 on all threads, the caller's included, and returns when all are done.
  void run(Kernel kernel, const void* const* views, const int64_t* dims, int64_t total);

 private:
  void work();
  void take();
  void await_chunks();
  int64_t cut(int64_t total);

  // Of many programs half are cut into `shares` chunks per thread, half of the rest into chunks of half the size, and so
  // on, so often: the last chunks, for which the other threads wait, are short.
  static constexpr int halvings = 4;
  // Chunks of equal size: number of the first, program that it begins with, programs in each.
  struct Part { int64_t first, begin, programs; };

  const int count_;
  // The job. Written before `left_` says that it has chunks, and not again before all of them are done: a thread that
  // comes late finds no chunk left, and nobody waits for it.
  Kernel kernel_ = nullptr;
  const void* const* views_ = nullptr;
  const int64_t* dims_ = nullptr;
  int64_t total_ = 0, chunks_ = 0;
  Part part_[halvings + 1] = {};
  int parts_ = 0;
  // Counters that different threads write are on cache lines of their own.
  alignas(64) std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<int64_t> left_{0};  // chunks that nobody has taken; below 0 where threads came too late
  alignas(64) std::atomic<uint32_t> undone_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::atomic<bool> waiting_{false}, stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace firn
