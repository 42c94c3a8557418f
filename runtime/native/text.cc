#include "text.h"

namespace firn {
namespace {
const std::string replacement = "\xef\xbf\xbd";
}

std::string Utf8Stream::push(uint8_t byte) {
  if (needed_ == 0) {
    if (byte < 0x80) return std::string(1, (char)byte);
    needed_ = byte >= 0xc2 && byte <= 0xdf ? 1 : byte >= 0xe0 && byte <= 0xef ? 2 : byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
    if (needed_ == 0) return replacement;
    // No overlong forms, no surrogates, nothing beyond U+10FFFF.
    low_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    high_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    held_.assign(1, (char)byte);
    return {};
  }
  if (byte < low_ || byte > high_) {
    std::string out = end();
    return out += push(byte);
  }
  low_ = 0x80;
  high_ = 0xbf;
  held_ += (char)byte;
  if (--needed_ > 0) return {};
  std::string out;
  out.swap(held_);
  return out;
}

std::string Utf8Stream::end() {
  if (needed_ == 0) return {};
  needed_ = 0;
  held_.clear();
  low_ = 0x80;
  high_ = 0xbf;
  return replacement;
}

}  // namespace firn
