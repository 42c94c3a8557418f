// Runs plans without Node: firn-test PLAN.json KERNELS.txt ENTRY [DIM=VALUE..] [NAME:FILE..] prints a checksum per output.
// KERNELS.txt: one `kernel library symbol` per line. `NAME:FILE` loads the bytes of an input or buffer.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "firn.h"
#include "plan.h"

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    fprintf(stderr, "cannot read %s\n", path.c_str());
    exit(2);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

[[noreturn]] void die(const firn_error& e) {
  fprintf(stderr, "%s %s\n  fix: %s\n", e.code, e.message, e.fix);
  exit(1);
}

struct Arguments {
  std::vector<std::string> names;
  std::vector<int64_t> values;
  std::vector<std::pair<std::string, std::string>> files;
};

Arguments parse(int argc, char** argv) {
  Arguments out;
  for (int i = 4; i < argc; ++i) {
    const std::string arg = argv[i];
    const size_t equals = arg.find('='), colon = arg.find(':');
    if (equals != std::string::npos && equals < colon) {
      out.names.push_back(arg.substr(0, equals));
      out.values.push_back(atoll(arg.c_str() + equals + 1));
    } else if (colon != std::string::npos) {
      out.files.emplace_back(arg.substr(0, colon), read_file(arg.substr(colon + 1)));
    }
  }
  return out;
}

// Sum of the f32 values, and of their absolute values: enough to compare two executions.
void print_checksum(const std::string& name, const std::vector<uint8_t>& bytes) {
  double sum = 0, absolute = 0;
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    float f;
    memcpy(&f, &bytes[i], 4);
    sum += f;
    absolute += std::fabs(f);
  }
  printf("%s %zu %.6e %.6e\n", name.c_str(), bytes.size(), sum, absolute);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: firn-test PLAN.json KERNELS.txt ENTRY [DIM=VALUE..] [NAME:FILE..]\n");
    return 2;
  }
  const std::string json = read_file(argv[1]);
  std::vector<std::string> words;
  std::istringstream list(read_file(argv[2]));
  for (std::string w; list >> w;) words.push_back(w);
  std::vector<firn_kernel> kernels;
  for (size_t i = 0; i + 2 < words.size(); i += 3) kernels.push_back({words[i].c_str(), words[i + 1].c_str(), words[i + 2].c_str(), nullptr});

  firn_error error{};
  firn_executable* executable = firn_load(json.data(), json.size(), kernels.data(), kernels.size(), nullptr, 0, 2, &error);
  if (!executable) die(error);
  const Arguments arguments = parse(argc, argv);
  std::vector<firn_dim> dims;
  for (size_t i = 0; i < arguments.names.size(); ++i) dims.push_back({arguments.names[i].c_str(), arguments.values[i]});
  std::vector<firn_array> inputs;
  for (const auto& f : arguments.files) {
    uint8_t* buffer = firn_buffer(executable, f.first.c_str());
    if (buffer) memcpy(buffer, f.second.data(), f.second.size());
    else inputs.push_back({f.first.c_str(), (void*)f.second.data(), f.second.size()});
  }

  const firn::Plan plan = firn::read_plan(json);
  std::vector<std::vector<uint8_t>> results;
  std::vector<firn_array> outputs;
  for (const firn::Entry& e : plan.entries) {
    if (e.name != argv[3]) continue;
    std::vector<int64_t> values;
    for (const auto& d : plan.dims) values.push_back(d.max);
    for (const auto& d : e.dims)
      for (size_t i = 0; i < dims.size(); ++i)
        if (plan.dims[(size_t)d.index].name == dims[i].name) values[(size_t)d.index] = dims[i].value;
    results.reserve(e.outputs.size());
    for (const firn::Port& p : e.outputs) {
      int64_t bytes = p.element_bytes;
      for (const auto& s : p.shape) bytes *= s.evaluate(values.data());
      results.emplace_back((size_t)bytes);
      outputs.push_back({p.name.c_str(), results.back().data(), (size_t)bytes});
    }
  }
  if (!firn_run(executable, argv[3], dims.data(), dims.size(), inputs.data(), inputs.size(), outputs.data(), outputs.size(), &error)) die(error);
  for (size_t i = 0; i < outputs.size(); ++i) print_checksum(outputs[i].name, results[i]);
  firn_close(executable);
  return 0;
}
