#include "json.h"

#include <cmath>
#include <cstdlib>

namespace firn {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Json document() {
    Json value = read(0);
    space();
    if (at_ != text_.size()) fail("text after the end of the document");
    return value;
  }

 private:
  // Deeper documents would overflow the stack.
  static constexpr int deepest = 256;

  [[noreturn]] void fail(const char* what) const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] == '\n') ++line, column = 1;
      else ++column;
    }
    throw std::runtime_error("JSON line " + std::to_string(line) + " column " + std::to_string(column) + ": " + what);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }

  bool take(char c) {
    space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  void expect(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("unknown word");
    at_ += word.size();
  }

  Json read(int depth) {
    if (depth > deepest) fail("nested too deeply");
    space();
    Json v;
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': v.kind = Json::string; v.text = quoted(); return v;
      case 't': expect("true"); v.kind = Json::boolean; v.truth = true; return v;
      case 'f': expect("false"); v.kind = Json::boolean; return v;
      case 'n': expect("null"); return v;
      default: v.kind = Json::number; v.value = number(); return v;
    }
  }

  Json object(int depth) {
    Json v;
    v.kind = Json::object;
    ++at_;
    if (take('}')) return v;
    do {
      space();
      if (peek() != '"') fail("a member's name must be a string");
      std::string name = quoted();
      if (!take(':')) fail("expected ':'");
      v.members.emplace_back(std::move(name), read(depth + 1));
    } while (take(','));
    if (!take('}')) fail("expected ',' or '}'");
    return v;
  }

  Json array(int depth) {
    Json v;
    v.kind = Json::array;
    ++at_;
    if (take(']')) return v;
    do v.items.push_back(read(depth + 1));
    while (take(','));
    if (!take(']')) fail("expected ',' or ']'");
    return v;
  }

  bool digits() {
    const size_t from = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > from;
  }

  double number() {
    const size_t from = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') ++at_;
    else if (!digits()) fail("expected a value");
    if (peek() == '.') {
      ++at_;
      if (!digits()) fail("expected digits after '.'");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) fail("expected digits in the exponent");
    }
    return std::strtod(std::string(text_.substr(from, at_ - from)).c_str(), nullptr);
  }

  uint32_t hex4() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) fail("expected four hexadecimal digits");
      code = code * 16 + (uint32_t)digit;
      ++at_;
    }
    return code;
  }

  void utf8(std::string& out, uint32_t c) {
    if (c < 0x80) {
      out += (char)c;
    } else if (c < 0x800) {
      out += {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))};
    } else if (c < 0x10000) {
      out += {(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63))};
    } else {
      out += {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63))};
    }
  }

  void escape(std::string& out) {
    static constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (c != 'u') {
      const size_t i = names.find(c);
      if (c == '\0' || i == std::string_view::npos) fail("unknown escape");
      out += values[i];
      return;
    }
    uint32_t code = hex4();
    if (code >= 0xd800 && code < 0xdc00) {
      expect("\\u");
      const uint32_t low = hex4();
      if (low < 0xdc00 || low > 0xdfff) fail("half of a surrogate pair");
      code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
    }
    utf8(out, code);
  }

  std::string quoted() {
    std::string out;
    for (++at_;;) {
      if (at_ >= text_.size()) fail("the string does not end");
      const char c = text_[at_];
      if (c == '"') break;
      if ((unsigned char)c < 0x20) fail("control character in a string");
      ++at_;
      if (c == '\\') escape(out);
      else out += c;
    }
    ++at_;
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

const char* kind_name(Json::Kind k) {
  static const char* names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  return names[k];
}

[[noreturn]] void wrong(const char* wanted, Json::Kind found) {
  throw std::runtime_error(std::string("expected ") + wanted + ", found " + kind_name(found));
}

}  // namespace

const Json* Json::find(const char* name) const {
  if (kind != object) wrong("an object", kind);
  for (const auto& m : members)
    if (m.first == name) return &m.second;
  return nullptr;
}

const Json& Json::at(const char* name) const {
  if (const Json* found = find(name)) return *found;
  throw std::runtime_error(std::string("member '") + name + "' is missing");
}

const std::string& Json::str() const {
  if (kind != string) wrong("a string", kind);
  return text;
}

int64_t Json::integer() const {
  if (kind != number || std::floor(value) != value || std::fabs(value) > 9007199254740992.0) wrong("an integer", kind);
  return (int64_t)value;
}

const std::vector<Json>& Json::list() const {
  if (kind != array) wrong("an array", kind);
  return items;
}

Json parse_json(std::string_view text) { return Reader(text).document(); }

}  // namespace firn
