// Runs plans: buffers, rolled repeats, launches and copies. Implements firn.h.
#include <dlfcn.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#include "firn.h"
#include "plan.h"
#include "threads.h"

namespace firn {
namespace {

struct Failure : std::runtime_error {
  Failure(const char* code, const std::string& message, const std::string& fix) : std::runtime_error(message), code(code), fix(fix) {}
  const char* code;
  std::string fix;
};

constexpr size_t large_pages_from = 4 << 20;

// Zeroed pages, or memory of the caller's; 64-byte alignment follows from the page's.
class Memory {
 public:
  explicit Memory(void* given) : data((uint8_t*)given), bytes_(0) {}
  explicit Memory(int64_t bytes) : bytes_(bytes > 0 ? (size_t)bytes : 1) {
    void* p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw Failure("D34", "cannot allocate " + std::to_string(bytes) + " bytes", "free memory, or compile for smaller dims");
    data = (uint8_t*)p;
    // Decode walks all weights once per token: with small pages, looking up addresses costs as much as reading. Refusal is harmless.
    if (bytes_ >= large_pages_from) madvise(p, bytes_, MADV_HUGEPAGE);
  }
  ~Memory() { if (bytes_) munmap(data, bytes_); }
  Memory(Memory&& other) noexcept : data(other.data), bytes_(other.bytes_) { other.bytes_ = 0; }
  Memory(const Memory&) = delete;

  uint8_t* data = nullptr;

 private:
  size_t bytes_;
};

struct Time { uint64_t nanoseconds = 0, launches = 0; };

uint64_t now() { return (uint64_t)std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace
}  // namespace firn

using namespace firn;

struct firn_executable {
  Plan plan;
  std::vector<Memory> memory;
  std::map<std::string, void*> libraries;
  std::vector<Kernel> kernels;
  Threads threads;
  bool timing = false;
  std::vector<Time> times;

  firn_executable(std::string_view json, const firn_kernel* found, size_t count, const firn_memory* given, size_t given_count, int thread_count) : plan(read_plan(json)), threads(thread_count) {
    for (const Plan::Buffer& b : plan.buffers) allocate(b, given, given_count);
    for (const Plan::Constant& c : plan.constants) memcpy(memory[(size_t)c.buffer].data + c.offset, c.data.data(), c.data.size());
    // Fresh pages are zero, and need not be touched for states that start so.
    for (const Plan::State& s : plan.states) if (!is_zero(s.element)) fill(s);
    for (const std::string& name : plan.kernels) kernels.push_back(resolve(name, found, count));
    times.resize(kernels.size());
  }

  ~firn_executable() {
    for (const auto& l : libraries) dlclose(l.second);
  }

  void allocate(const Plan::Buffer& b, const firn_memory* given, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (b.id != given[i].buffer) continue;
      if ((int64_t)given[i].bytes < b.bytes) throw Failure("D39", "buffer '" + b.id + "' has " + std::to_string(b.bytes) + " bytes, the memory given for it " + std::to_string(given[i].bytes), "give memory that was made for this plan");
      memory.emplace_back(given[i].data);
      return;
    }
    memory.emplace_back(b.bytes);
  }

  Kernel resolve(const std::string& name, const firn_kernel* found, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (name != found[i].kernel) continue;
      if (found[i].function) return found[i].function;
      void*& library = libraries[found[i].library];
      if (!library) library = dlopen(found[i].library, RTLD_NOW | RTLD_LOCAL);
      if (!library) throw Failure("D35", dlerror(), "delete the kernel cache and load again");
      if (void* symbol = dlsym(library, found[i].symbol)) return (Kernel)symbol;
      throw Failure("D35", std::string(found[i].library) + " lacks " + found[i].symbol, "delete the kernel cache and load again");
    }
    throw Failure("D19", "there is no compiled kernel '" + name + "'", "load the kernels that were compiled with this plan");
  }

  static bool is_zero(const std::vector<uint8_t>& element) {
    for (const uint8_t byte : element) if (byte) return false;
    return true;
  }

  void fill(const Plan::State& s) {
    uint8_t* to = memory[(size_t)s.buffer].data + s.offset;
    const size_t each = s.element.size();
    for (int64_t i = 0; i + (int64_t)each <= s.bytes; i += (int64_t)each) memcpy(to + i, s.element.data(), each);
  }

  void reset_state() { for (const Plan::State& s : plan.states) fill(s); }

  uint8_t* place(const Region& r, const int64_t* variables) { return memory[(size_t)r.buffer].data + r.offset(variables); }

  void run_steps(const std::vector<Step>& steps, const int64_t* dims, int64_t* variables) {
    for (const Step& s : steps) {
      switch (s.kind) {
        case Step::launch: launch(s, dims, variables); break;
        case Step::copy: memcpy(place(s.args[1], variables), place(s.args[0], variables), (size_t)s.grid[0].evaluate(dims)); break;
        case Step::repeat:
          for (int64_t i = 0; i < s.count; ++i) {
            variables[s.variable] = s.reverse ? s.count - 1 - i : i;
            run_steps(s.body, dims, variables);
          }
      }
    }
  }

  void launch(const Step& s, const int64_t* dims, const int64_t* variables) {
    constexpr size_t most = 256;
    const void* views[most];
    if (s.args.size() > most) throw Failure("D33", "kernel '" + plan.kernels[(size_t)s.kernel] + "' has more than 256 views", "report this");
    for (size_t i = 0; i < s.args.size(); ++i) views[i] = place(s.args[i], variables);
    int64_t total = 1;
    for (const Scalar& g : s.grid) total *= g.evaluate(dims);
    const uint64_t start = timing ? now() : 0;
    threads.run(kernels[(size_t)s.kernel], views, dims, total);
    if (!timing) return;
    times[(size_t)s.kernel].nanoseconds += now() - start;
    times[(size_t)s.kernel].launches++;
  }

  const Entry& entry(const char* name) const {
    for (const Entry& e : plan.entries)
      if (e.name == name) return e;
    throw Failure("D10", std::string("the plan has no entry '") + name + "'", "use an entry of the plan");
  }

  std::vector<int64_t> dim_values(const Entry& e, const firn_dim* given, size_t count) const {
    std::vector<int64_t> out;
    for (const Plan::Dim& d : plan.dims) out.push_back(d.max);
    for (const Entry::Dim& d : e.dims) {
      const std::string& name = plan.dims[(size_t)d.index].name;
      size_t i = 0;
      while (i < count && name != given[i].name) ++i;
      if (i == count) throw Failure("D11", "dim '" + name + "' of entry '" + e.name + "' has no value", "state every dim of the entry");
      if (given[i].value < 0 || given[i].value > d.max) throw Failure("D12", "dim '" + name + "' is " + std::to_string(given[i].value) + ", entry '" + e.name + "' was compiled for 0 to " + std::to_string(d.max), "split the work over several runs, or compile for a larger maximum");
      out[(size_t)d.index] = given[i].value;
    }
    return out;
  }

  // Calls move(place in the buffer, offset in the row-major array, bytes) for each piece of the port.
  template <class Move>
  void pieces(const Port& p, const firn_array& array, const int64_t* dims, Move move) {
    int64_t count = 1, each = p.element_bytes;
    for (size_t i = 0; i < p.shape.size(); ++i) (i < p.stretches.size() ? count : each) *= p.shape[i].evaluate(dims);
    if ((int64_t)array.bytes != count * each) throw Failure("D15", "port '" + p.name + "' takes " + std::to_string(count * each) + " bytes, " + std::to_string(array.bytes) + " are passed", "pass arrays shaped for the dims");
    uint8_t* base = memory[(size_t)p.region.buffer].data + p.region.base;
    for (int64_t i = 0; i < count; ++i) {
      int64_t at = 0, rest = i;
      for (size_t s = p.stretches.size(); s-- > 0; rest /= p.stretches[s].count) at += rest % p.stretches[s].count * p.stretches[s].stride;
      move(base + at, (uint8_t*)array.data + i * each, (size_t)each);
    }
  }

  static const Port& port(const std::vector<Port>& ports, const char* name, const char* code) {
    for (const Port& p : ports)
      if (p.name == name) return p;
    throw Failure(code, std::string("the entry has no port '") + name + "'", "use a port of the entry");
  }

  void run(const char* name, const firn_dim* given, size_t dim_count, const firn_array* inputs, size_t input_count, const firn_array* outputs, size_t output_count) {
    const Entry& e = entry(name);
    const std::vector<int64_t> dims = dim_values(e, given, dim_count);
    std::vector<int64_t> variables((size_t)plan.variables + 1);
    if (input_count != e.inputs.size()) throw Failure("D13", "entry '" + e.name + "' has " + std::to_string(e.inputs.size()) + " inputs, " + std::to_string(input_count) + " are passed", "pass each input once");
    for (size_t i = 0; i < input_count; ++i) pieces(port(e.inputs, inputs[i].name, "D14"), inputs[i], dims.data(), [](uint8_t* here, uint8_t* there, size_t n) { memcpy(here, there, n); });
    run_steps(e.steps, dims.data(), variables.data());
    for (size_t i = 0; i < output_count; ++i) pieces(port(e.outputs, outputs[i].name, "D16"), outputs[i], dims.data(), [](uint8_t* here, uint8_t* there, size_t n) { memcpy(there, here, n); });
  }
};

namespace {

void put_error(firn_error* error, const char* code, const std::string& message, const std::string& fix) {
  if (!error) return;
  snprintf(error->code, sizeof error->code, "%s", code);
  snprintf(error->message, sizeof error->message, "%s", message.c_str());
  snprintf(error->fix, sizeof error->fix, "%s", fix.c_str());
}

template <class Body>
auto protect(firn_error* error, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Failure& f) {
    put_error(error, f.code, f.what(), f.fix);
  } catch (const std::exception& e) {
    put_error(error, "D33", std::string("the plan cannot be read: ") + e.what(), "compile the plan again with this version");
  }
  return {};
}

}  // namespace

extern "C" {

firn_executable* firn_load(const char* plan, size_t length, const firn_kernel* kernels, size_t count, const firn_memory* given, size_t given_count, int threads, firn_error* error) {
  return protect(error, [&] { return new firn_executable({plan, length}, kernels, count, given, given_count, threads); });
}

void firn_close(firn_executable* e) { delete e; }

size_t firn_buffer_count(const firn_executable* e) { return e->plan.buffers.size(); }
const char* firn_buffer_id(const firn_executable* e, size_t i) { return e->plan.buffers[i].id.c_str(); }
size_t firn_buffer_bytes(const firn_executable* e, size_t i) { return (size_t)e->plan.buffers[i].bytes; }

uint8_t* firn_buffer(firn_executable* e, const char* id) {
  const int i = e->plan.buffer(id);
  return i < 0 ? nullptr : e->memory[(size_t)i].data;
}

void firn_reset_state(firn_executable* e) { e->reset_state(); }

int firn_run(firn_executable* e, const char* entry, const firn_dim* dims, size_t dim_count, const firn_array* inputs, size_t input_count, const firn_array* outputs, size_t output_count, firn_error* error) {
  return protect(error, [&] { return e->run(entry, dims, dim_count, inputs, input_count, outputs, output_count), 1; });
}

void firn_set_timing(firn_executable* e, int on) {
  e->timing = on != 0;
  e->times.assign(e->kernels.size(), Time{});
}

size_t firn_times(const firn_executable* e, firn_time* out, size_t capacity) {
  for (size_t i = 0; i < e->times.size() && i < capacity; ++i) out[i] = {e->plan.kernels[i].c_str(), e->times[i].nanoseconds, e->times[i].launches};
  return e->times.size();
}

}  // extern "C"
