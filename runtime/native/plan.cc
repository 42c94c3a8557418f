#include "plan.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "json.h"

namespace firn {

int64_t Scalar::evaluate(const int64_t* dims) const {
  if (kind == constant) return value;
  if (kind == dim) return dims[value];
  const int64_t x = a->evaluate(dims), y = b->evaluate(dims);
  const auto floored = [&] { return x / y - ((x % y != 0) && ((x < 0) != (y < 0)) ? 1 : 0); };
  switch (kind) {
    case add: return x + y;
    case subtract: return x - y;
    case multiply: return x * y;
    case divide: return y == 0 ? 0 : floored();
    case mod: return y == 0 ? 0 : x - floored() * y;
    case minimum: return x < y ? x : y;
    case maximum: return x > y ? x : y;
    case less: return x < y ? 1 : 0;
    default: return 0;
  }
}

int Plan::buffer(std::string_view id) const {
  for (size_t i = 0; i < buffers.size(); ++i)
    if (buffers[i].id == id) return (int)i;
  return -1;
}

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

struct Variable { std::string name; int64_t count; };

class PlanReader {
 public:
  Plan plan;

  void read(const Json& j) {
    if (j.at("version").integer() != 1) fail("plan version " + std::to_string(j.at("version").integer()) + ", this reader knows 1");
    if (j.at("ranks").integer() != 1) fail("the plan is for " + std::to_string(j.at("ranks").integer()) + " ranks, the cpu device holds one");
    for (const Json& d : j.at("dims").list()) plan.dims.push_back({d.at("name").str(), d.at("max").integer()});
    for (const Json& b : j.at("buffers").list()) plan.buffers.push_back({b.at("id").str(), b.at("bytes").integer()});
    for (const Json& k : j.at("kernels").list()) plan.kernels.push_back(k.at("name").str());
    for (const Json& s : j.at("states").list()) state(s);
    for (const Json& c : j.at("constants").list()) constant(c);
    for (const Json& e : j.at("entries").list()) plan.entries.push_back(entry(e));
  }

 private:
  std::vector<Variable> scope_;

  int buffer(const Json& id) const {
    const int i = plan.buffer(id.str());
    if (i < 0) fail("there is no buffer '" + id.str() + "'");
    return i;
  }

  void inside(int b, int64_t from, int64_t bytes, const char* what) const {
    if (from < 0 || bytes < 0 || from + bytes > plan.buffers[b].bytes) fail(std::string(what) + " lies outside buffer '" + plan.buffers[b].id + "'");
  }

  static int64_t dtype_bytes(const std::string& dtype) { return dtype == "bf16" || dtype == "f16" ? 2 : 4; }

  void state(const Json& s) {
    const Plan::State out{buffer(s.at("buffer")), s.at("offset").integer(), s.at("bytes").integer(), element(s.at("dtype").str(), s.at("initial").value)};
    inside(out.buffer, out.offset, out.bytes, "a state region");
    plan.states.push_back(out);
  }

  // Initial values are few (0, 1, -1, infinities): those that 16-bit floats hold are rounded to nearest even.
  static std::vector<uint8_t> element(const std::string& dtype, double value) {
    std::vector<uint8_t> out((size_t)dtype_bytes(dtype));
    const float f = (float)value;
    const int32_t i = (int32_t)value;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    const _Float16 half = (_Float16)f;
    const uint16_t bf = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    if (dtype == "f32") memcpy(out.data(), &f, 4);
    else if (dtype == "bf16") memcpy(out.data(), &bf, 2);
    else if (dtype == "f16") memcpy(out.data(), &half, 2);
    else memcpy(out.data(), &i, 4);
    return out;
  }

  void constant(const Json& c) {
    Plan::Constant out{buffer(c.at("buffer")), c.at("offset").integer(), base64(c.at("data").str())};
    inside(out.buffer, out.offset, (int64_t)out.data.size(), "a constant");
    plan.constants.push_back(std::move(out));
  }

  static std::vector<uint8_t> base64(const std::string& text) {
    static const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<uint8_t> out;
    out.reserve(text.size() / 4 * 3);
    uint32_t held = 0;
    int bits = 0;
    for (const char c : text) {
      if (c == '=') break;
      const size_t digit = digits.find(c);
      if (digit == std::string_view::npos) fail("a constant is not base64");
      held = held << 6 | (uint32_t)digit;
      bits += 6;
      if (bits >= 8) out.push_back((uint8_t)(held >> (bits -= 8)));
    }
    return out;
  }

  int dim(const std::string& name) const {
    for (size_t i = 0; i < plan.dims.size(); ++i)
      if (plan.dims[i].name == name) return (int)i;
    fail("there is no dim '" + name + "'");
  }

  Scalar scalar(const Json& s) const {
    static const char* names[] = {"int", "dim", "add", "multiply", "divide", "mod", "minimum", "maximum", "subtract", "less"};
    const std::string& kind = s.at("kind").str();
    Scalar out;
    for (int i = 0; i < 10; ++i) {
      if (kind != names[i]) continue;
      out.kind = (Scalar::Kind)i;
      if (i == Scalar::constant) out.value = s.at("value").integer();
      else if (i == Scalar::dim) out.value = dim(s.at("name").str());
      else {
        out.a = std::make_unique<Scalar>(scalar(s.at("a")));
        out.b = std::make_unique<Scalar>(scalar(s.at("b")));
      }
      return out;
    }
    fail("a '" + kind + "' scalar does not belong in a plan");
  }

  Region region(const Json& r) const {
    Region out;
    out.buffer = buffer(r.at("buffer"));
    out.bytes = r.at("bytes").integer();
    const Json& offset = r.at("offset");
    out.base = offset.at("base").integer();
    int64_t lowest = out.base, highest = out.base;
    for (const Json& t : offset.at("terms").list()) {
      const int v = variable(t.at("variable").str());
      const int64_t stride = t.at("stride").integer(), far = (scope_[(size_t)v].count - 1) * stride;
      out.terms.push_back({v, stride});
      lowest += far < 0 ? far : 0;
      highest += far > 0 ? far : 0;
    }
    inside(out.buffer, lowest, 0, "a region");
    inside(out.buffer, highest, out.bytes, "a region");
    return out;
  }

  int variable(const std::string& name) const {
    for (size_t i = scope_.size(); i-- > 0;)
      if (scope_[i].name == name) return (int)i;
    fail("variable '" + name + "' is not of an enclosing repeat");
  }

  int kernel(const std::string& name) const {
    for (size_t i = 0; i < plan.kernels.size(); ++i)
      if (plan.kernels[i] == name) return (int)i;
    fail("there is no kernel '" + name + "'");
  }

  std::vector<Step> steps(const Json& list) {
    std::vector<Step> out;
    for (const Json& s : list.list()) out.push_back(step(s));
    return out;
  }

  Step step(const Json& s) {
    const std::string& kind = s.at("kind").str();
    Step out;
    if (kind == "launch") {
      out.kernel = kernel(s.at("kernel").str());
      for (const Json& a : s.at("args").list()) out.args.push_back(region(a));
      for (const Json& g : s.at("grid").list()) out.grid.push_back(scalar(g));
    } else if (kind == "repeat") {
      out.kind = Step::repeat;
      out.count = s.at("count").integer();
      out.reverse = s.at("reverse").truth;
      out.variable = (int)scope_.size();
      scope_.push_back({s.at("variable").str(), out.count});
      if ((int)scope_.size() > plan.variables) plan.variables = (int)scope_.size();
      out.body = steps(s.at("body"));
      scope_.pop_back();
    } else if (kind == "copy") {
      out.kind = Step::copy;
      out.args.push_back(region(s.at("from")));
      out.args.push_back(region(s.at("to")));
      out.grid.push_back(scalar(s.at("bytes")));
    } else {
      fail("a '" + kind + "' step: the cpu device holds one rank");
    }
    return out;
  }

  Port port(const Json& p) const {
    Port out;
    out.name = p.at("name").str();
    out.region = region(p.at("region"));
    out.element_bytes = dtype_bytes(p.at("dtype").str());
    for (const Json& s : p.at("shape").list()) out.shape.push_back(scalar(s));
    if (const Json* stretches = p.find("stretches"))
      for (const Json& s : stretches->list()) out.stretches.push_back({s.at("count").integer(), s.at("stride").integer()});
    return out;
  }

  Entry entry(const Json& e) {
    Entry out;
    out.name = e.at("name").str();
    try {
      for (const Json& d : e.at("dims").list()) out.dims.push_back({dim(d.at("name").str()), d.at("max").integer()});
      for (const Json& p : e.at("inputs").list()) out.inputs.push_back(port(p));
      for (const Json& p : e.at("outputs").list()) out.outputs.push_back(port(p));
      out.steps = steps(e.at("steps"));
    } catch (const std::exception& error) {
      fail("entry '" + out.name + "': " + error.what());
    }
    return out;
  }
};

}  // namespace

Plan read_plan(std::string_view json) {
  PlanReader reader;
  reader.read(parse_json(json));
  return std::move(reader.plan);
}

}  // namespace firn
