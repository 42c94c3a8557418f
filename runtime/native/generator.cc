#include "generator.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace firn {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

[[noreturn]] void fail(const firn_error& e) { throw UserError(e.code, e.message, e.fix); }

}  // namespace

Generator::Generator(const Program& program, const firn_kernel* kernels, size_t count, int threads) : program_(program) {
  std::vector<firn_memory> given;
  for (const auto& w : program.weights) given.push_back({w.first.c_str(), w.second.data, w.second.bytes});
  firn_error error{};
  executable_ = firn_load(program.plan.data(), program.plan.size(), kernels, count, given.data(), given.size(), threads, &error);
  if (!executable_) fail(error);
}

Generator::~Generator() { firn_close(executable_); }

Generation Generator::run(const std::vector<int32_t>& prompt, int64_t max_tokens, const Sampling& sampling, const std::atomic<bool>& aborted, const std::function<void(int32_t)>& token) {
  const int64_t most = program_.entries.back().tokens;
  Generation out;
  out.prompt = (int64_t)prompt.size();
  if (out.prompt > program_.context) throw UserError("R02", "a sequence of " + std::to_string(out.prompt) + " tokens is longer than the " + std::to_string(program_.context) + " that the program has room for", "build it with a larger context (--context N)");
  const double started = seconds();
  int32_t id = 0;
  for (int64_t at = 0; at < out.prompt; at += most) {
    if (aborted) { out.reason = "aborted"; return out; }
    id = next(prompt.data() + at, std::min(most, out.prompt - at), at, sampling);
  }
  const double filled = seconds();
  out.prefill = filled - started;
  int64_t length = out.prompt;
  for (int64_t count = 0;; id = next(&id, 1, length++, sampling)) {
    if (std::find(program_.stop.begin(), program_.stop.end(), id) != program_.stop.end()) { out.reason = "stop"; break; }
    token(id);
    if (++count >= max_tokens) break;
    if (length >= program_.context) { out.reason = "context"; break; }
    if (aborted) { out.reason = "aborted"; break; }
  }
  out.decoded = length - out.prompt;
  out.decode = seconds() - filled;
  return out;
}

// The token that follows `count` tokens, the first of which stands at `position` of the sequence.
int32_t Generator::next(const int32_t* tokens, int64_t count, int64_t position, const Sampling& sampling) {
  const auto entry = std::find_if(program_.entries.begin(), program_.entries.end(), [&](const Program::Entry& e) { return e.tokens >= count; });
  std::vector<int32_t> places((size_t)count), zeros((size_t)count), blocks((size_t)((position + count + program_.block - 1) / program_.block));
  std::iota(places.begin(), places.end(), (int32_t)position);
  std::iota(blocks.begin(), blocks.end(), 0);
  int32_t starts[2] = {0, (int32_t)count}, row = (int32_t)count - 1, chosen = 0;
  // Without a limit both are off: the plan knows one switch, `top_k` 0.
  const bool limited = sampling.temperature > 0 && (sampling.top_k > 0 || sampling.top_p < 1);
  int32_t top_k = !limited ? 0 : (int32_t)(sampling.top_k > 0 ? std::min(sampling.top_k, program_.vocabulary) : program_.vocabulary);
  Sampling s = sampling;
  const firn_dim dims[] = {{"tokens", count}, {"outputs", 1}, {"sequences", 1}, {"blocks", (int64_t)blocks.size()}, {"context", position + count}};
  // One sequence owns the blocks in order, so the cache entry of a token is its position.
  const firn_array inputs[] = {
    {"tokens", (void*)tokens, (size_t)count * 4}, {"position", places.data(), (size_t)count * 4}, {"sequence", zeros.data(), (size_t)count * 4},
    {"slot", places.data(), (size_t)count * 4}, {"blocks", blocks.data(), blocks.size() * 4}, {"starts", starts, 8}, {"rows", &row, 4},
    {"temperature", &s.temperature, 4}, {"seed", &s.seed, 4}, {"top_k", &top_k, 4}, {"top_p", &s.top_p, 4},
  };
  std::vector<firn_dim> stated;
  std::vector<firn_array> passed;
  for (const std::string& name : entry->dims) for (const firn_dim& d : dims) if (name == d.name) stated.push_back(d);
  for (const std::string& name : entry->inputs) for (const firn_array& a : inputs) if (name == a.name) passed.push_back(a);
  const firn_array output = {"next", &chosen, 4};
  firn_error error{};
  if (!firn_run(executable_, entry->name.c_str(), stated.data(), stated.size(), passed.data(), passed.size(), &output, 1, &error)) fail(error);
  return chosen;
}

}  // namespace firn
