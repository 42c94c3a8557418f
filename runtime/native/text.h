// Bytes to text as they come.
#pragma once
#include <cstdint>
#include <string>

namespace firn {

// UTF-8 with complete characters only: what is no character becomes U+FFFD, as the WHATWG decoder does it.
class Utf8Stream {
 public:
  std::string push(uint8_t byte);
  // What is left of an unfinished character.
  std::string end();

 private:
  std::string held_;
  int needed_ = 0;
  uint8_t low_ = 0x80, high_ = 0xbf;
};

}  // namespace firn
