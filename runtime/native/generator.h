// Continues prompts: one sequence at a time, its prompt in runs of as many tokens as an entry takes, then token by token.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "firn.h"
#include "program.h"

namespace firn {

struct Sampling { float temperature = 0, top_p = 1; uint32_t seed = 0; int64_t top_k = 0; };

struct Generation {
  int64_t prompt = 0, decoded = 0;  // tokens; the first one comes from the prompt's last run
  double prefill = 0, decode = 0;   // seconds
  const char* reason = "length";    // why it ended: length, stop, context, aborted
};

class Generator {
 public:
  // `kernels`: all of the plan's. Throws UserError.
  Generator(const Program& program, const firn_kernel* kernels, size_t count, int threads);
  ~Generator();
  Generator(const Generator&) = delete;

  // Calls `token` with each id as it comes. `aborted` is looked at between runs. Throws UserError.
  Generation run(const std::vector<int32_t>& prompt, int64_t max_tokens, const Sampling& sampling, const std::atomic<bool>& aborted, const std::function<void(int32_t)>& token);

 private:
  int32_t next(const int32_t* tokens, int64_t count, int64_t position, const Sampling& sampling);

  const Program& program_;
  firn_executable* executable_;
};

}  // namespace firn
