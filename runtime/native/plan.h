// A plan in memory: names resolved to indices, expressions to trees. See compiler/ir/plan.ts for what the parts mean.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firn {

struct Scalar {
  enum Kind { constant, dim, add, multiply, divide, mod, minimum, maximum, subtract, less } kind = constant;
  int64_t value = 0;  // constant, or index of the dim
  std::unique_ptr<Scalar> a, b;

  int64_t evaluate(const int64_t* dims) const;
};

struct Region {
  int buffer = 0;
  int64_t base = 0, bytes = 0;
  struct Term { int variable; int64_t stride; };
  std::vector<Term> terms;

  int64_t offset(const int64_t* variables) const {
    int64_t at = base;
    for (const Term& t : terms) at += variables[t.variable] * t.stride;
    return at;
  }
};

struct Step {
  enum Kind { launch, repeat, copy } kind = launch;
  int kernel = 0;
  std::vector<Region> args;   // launch: one per view; copy: from, to
  std::vector<Scalar> grid;   // launch: programs per axis; copy: bytes
  int variable = 0;
  int64_t count = 0;
  bool reverse = false;
  std::vector<Step> body;
};

struct Port {
  std::string name;
  Region region;
  int64_t element_bytes = 0;
  std::vector<Scalar> shape;
  struct Stretch { int64_t count, stride; };
  std::vector<Stretch> stretches;
};

struct Entry {
  std::string name;
  struct Dim { int index; int64_t max; };
  std::vector<Dim> dims;
  std::vector<Port> inputs, outputs;
  std::vector<Step> steps;
};

struct Plan {
  struct Dim { std::string name; int64_t max; };
  struct Buffer { std::string id; int64_t bytes; };
  struct State { int buffer; int64_t offset, bytes; std::vector<uint8_t> element; };
  struct Constant { int buffer; int64_t offset; std::vector<uint8_t> data; };
  std::vector<Dim> dims;
  std::vector<Buffer> buffers;
  std::vector<std::string> kernels;
  std::vector<State> states;
  std::vector<Constant> constants;
  std::vector<Entry> entries;
  int variables = 0;  // how many nested repeats need

  int buffer(std::string_view id) const;
};

// Throws std::runtime_error; the message says where in the plan.
Plan read_plan(std::string_view json);

}  // namespace firn
