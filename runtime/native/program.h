// A model in one file: this program, and after it the weights, the plan and a description, found from the file's end.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "firn.h"
#include "json.h"

namespace firn {

// What the user is told: `code` is stable. X01 file cannot be read · X02 no model in it · X03 damaged or cut short ·
// X04 weights of another build · X05 processor · X06 input file · X07 no tokenizer; R.. and D.. as on the command line.
struct UserError : std::runtime_error {
  UserError(std::string code, const std::string& message, std::string fix) : std::runtime_error(message), code(std::move(code)), fix(std::move(fix)) {}
  std::string code, fix;
};

// Bytes of a file, mapped read-only: pages are read when they are first used, and shared between processes.
class Mapping {
 public:
  Mapping() = default;
  Mapping(int file, int64_t offset, int64_t bytes, const std::string& path);
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;

  uint8_t* data = nullptr;
  size_t bytes = 0;
};

struct Program {
  struct Entry {
    std::string name;
    int64_t tokens = 0;  // the most of one run
    std::vector<std::string> dims, inputs;
  };

  std::string model, processor, plan;
  std::vector<std::string> needs;  // processor flags as /proc/cpuinfo spells them
  std::vector<Entry> entries;      // in ascending order of `tokens`
  std::vector<int64_t> stop;
  int64_t vocabulary = 0, block = 0, context = 0;
  std::string tokenizer, without_tokenizer;  // "bytes", "pieces", or empty; then why
  Json tokenizer_description;                // for "pieces"
  Mapping tokenizer_tables;
  std::vector<std::pair<std::string, Mapping>> weights;  // by buffer
};

// Reads the program in `path` (its own file); weights may lie in the file beside it. Throws UserError.
Program open_program(const std::string& path);

// Throws X05 unless this processor has all of `needs`.
void check_processor(const Program& program);

std::string read_text(const std::string& path, const char* code);

}  // namespace firn
