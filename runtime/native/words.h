// Byte-pair tokenizers: splits text by a pattern, merges pairs by rank. Tables are searched where they lie in the file.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json.h"

namespace firn {

// A pattern as a tree; see runtime/tokenizer/split-pattern.ts.
struct PatternNode {
  enum Kind { set, many, sequence, either, maybe, ahead, not_ahead } kind = set;
  size_t index = 0;
  int64_t least = 0, most = -1;
  std::vector<PatternNode> items;
};

class Words {
 public:
  // `description` as packPieces writes it, with `pattern`, `specials`, `prefix`, `suffix` and `whole`; `tables` of `bytes`
  // bytes. Throws std::runtime_error if one does not fit the other.
  Words(const Json& description, const uint8_t* tables, size_t bytes);

  // `specials`: whether text that spells a special token is that token.
  std::vector<int32_t> encode(std::string_view text, bool specials) const;

  // The bytes of an id; of a special token its text, which is whole characters.
  std::string_view bytes(int32_t id, bool& special) const;

 private:
  struct Special { std::string text; int32_t id; bool special; };
  struct Character { uint32_t point; size_t at; };

  void encode_stretch(std::string_view text, bool specials, std::vector<int32_t>& out) const;
  void encode_words(std::string_view text, std::vector<int32_t>& out) const;
  void merge(std::string_view word, std::vector<int32_t>& out) const;
  int64_t find(std::string_view bytes) const;
  // Rank and id of two neighbours; a rank below 0 if they do not merge.
  std::pair<int64_t, int32_t> pair(int32_t left, int32_t right) const;
  std::string_view token(int64_t id) const;
  static bool in_ranges(const std::vector<uint32_t>& ranges, uint32_t point);
  bool in_set(size_t set, uint32_t point) const { return in_ranges(sets_[set], point); }

  friend class Matcher;
  std::vector<std::vector<uint32_t>> sets_;
  PatternNode pattern_;
  std::vector<Special> specials_;  // longer texts first
  std::vector<int32_t> prefix_, suffix_;
  bool whole_ = false, ranked_ = false;
  // Where long texts are cut, in code points; 0: nowhere.
  size_t most_text_ = 0, most_run_ = 0;
  std::vector<uint32_t> space_;
  int64_t count_ = 0, sorted_count_ = 0, pair_count_ = 0;
  const uint32_t *starts_ = nullptr, *sorted_ = nullptr, *pairs_ = nullptr;
  const char* bytes_ = nullptr;
};

}  // namespace firn
