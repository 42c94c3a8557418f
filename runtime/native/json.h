// A strict JSON reader: what RFC 8259 allows and nothing else; errors carry line and column.
#pragma once
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firn {

struct Json {
  enum Kind { null, boolean, number, string, array, object } kind = null;
  bool truth = false;
  double value = 0;
  std::string text;
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  // Accessors throw std::runtime_error that says what was expected and where.
  const Json& at(const char* name) const;
  const Json* find(const char* name) const;
  const std::string& str() const;
  int64_t integer() const;
  const std::vector<Json>& list() const;
};

Json parse_json(std::string_view text);

}  // namespace firn
