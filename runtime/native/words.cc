#include "words.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <stdexcept>

namespace firn {
namespace {

PatternNode read_node(const Json& j) {
  static const char* names[] = {"set", "many", "sequence", "either", "maybe", "ahead", "not_ahead"};
  const std::vector<Json>& parts = j.list();
  PatternNode node;
  const std::string& name = parts.at(0).str();
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) throw std::runtime_error("the pattern has a node '" + name + "'");
  node.kind = (PatternNode::Kind)(found - names);
  switch (node.kind) {
    case PatternNode::set: node.index = (size_t)parts.at(1).integer(); break;
    case PatternNode::many:
      node.index = (size_t)parts.at(1).integer();
      node.least = parts.at(2).integer();
      node.most = parts.at(3).integer();
      break;
    case PatternNode::sequence: case PatternNode::either:
      for (const Json& item : parts.at(1).list()) node.items.push_back(read_node(item));
      break;
    default: node.items.push_back(read_node(parts.at(1)));
  }
  return node;
}

// Code points and where they begin; bytes that are no UTF-8 stand for themselves.
template <class Character>
std::vector<Character> characters(std::string_view text) {
  std::vector<Character> out;
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = (uint8_t)text[i];
    size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    if (i + length > text.size()) length = 1;
    uint32_t point = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (size_t k = 1; k < length; ++k) point = point << 6 | ((uint8_t)text[i + k] & 0x3f);
    out.push_back({point, i});
    i += length;
  }
  out.push_back({0xffffffff, text.size()});
  return out;
}

}  // namespace

// Backtracking, with the rest of the pattern as a continuation; repetition walks back over single characters, so the
// depth is that of the pattern.
class Matcher {
 public:
  Matcher(const Words& words, const std::vector<Words::Character>& text) : words_(words), text_(text) {}

  // Where a match that begins at `from` ends, or `from` if there is none.
  size_t match(size_t from) const {
    size_t end = from;
    run(words_.pattern_, from, [&](size_t at) { return end = at, true; });
    return end;
  }

 private:
  using Rest = std::function<bool(size_t)>;
  const Words& words_;
  const std::vector<Words::Character>& text_;

  bool has(size_t set, size_t at) const { return at + 1 < text_.size() && words_.in_set(set, text_[at].point); }

  bool run(const PatternNode& n, size_t at, const Rest& rest) const {
    switch (n.kind) {
      case PatternNode::set: return has(n.index, at) && rest(at + 1);
      case PatternNode::many: {
        size_t end = at;
        while ((n.most < 0 || (int64_t)(end - at) < n.most) && has(n.index, end)) ++end;
        for (;; --end) {
          if ((int64_t)(end - at) < n.least) return false;
          if (rest(end)) return true;
          if (end == at) return false;
        }
      }
      case PatternNode::sequence: return run_from(n, 0, at, rest);
      case PatternNode::either:
        for (const PatternNode& item : n.items) if (run(item, at, rest)) return true;
        return false;
      case PatternNode::maybe: return run(n.items[0], at, rest) || rest(at);
      case PatternNode::ahead: return run(n.items[0], at, [](size_t) { return true; }) && rest(at);
      case PatternNode::not_ahead: return !run(n.items[0], at, [](size_t) { return true; }) && rest(at);
    }
    return false;
  }

  bool run_from(const PatternNode& n, size_t item, size_t at, const Rest& rest) const {
    if (item == n.items.size()) return rest(at);
    return run(n.items[item], at, [&](size_t next) { return run_from(n, item + 1, next, rest); });
  }
};

Words::Words(const Json& j, const uint8_t* tables, size_t bytes) {
  for (const Json& set : j.at("pattern").at("sets").list()) {
    sets_.emplace_back();
    for (const Json& point : set.list()) sets_.back().push_back((uint32_t)point.integer());
  }
  pattern_ = read_node(j.at("pattern").at("tree"));
  for (const Json& s : j.at("specials").list()) specials_.push_back({s.at("text").str(), (int32_t)s.at("id").integer(), s.at("special").truth});
  std::stable_sort(specials_.begin(), specials_.end(), [](const Special& a, const Special& b) { return a.text.size() > b.text.size(); });
  for (const Json& id : j.at("prefix").list()) prefix_.push_back((int32_t)id.integer());
  for (const Json& id : j.at("suffix").list()) suffix_.push_back((int32_t)id.integer());
  most_text_ = (size_t)j.at("cuts").at("text").integer();
  most_run_ = (size_t)j.at("cuts").at("run").integer();
  for (const Json& point : j.at("cuts").at("space").list()) space_.push_back((uint32_t)point.integer());
  whole_ = j.at("whole").truth;
  ranked_ = j.at("ranked").truth;
  const auto table = [&](const char* name, int64_t words) {
    const int64_t at = j.at(name).integer();
    if (at < 0 || words < 0 || at % 4 != 0 || at + 4 * words > (int64_t)bytes) throw std::runtime_error(std::string("the tokenizer's table '") + name + "' lies outside its bytes");
    return (const uint32_t*)(tables + at);
  };
  starts_ = table("starts", (count_ = j.at("count").integer()) + 1);
  sorted_ = table("sorted", sorted_count_ = j.at("sortedCount").integer());
  pairs_ = table("pairs", 4 * (pair_count_ = j.at("pairCount").integer()));
  bytes_ = (const char*)tables + j.at("bytes").integer();
  if (j.at("bytes").integer() + (int64_t)starts_[count_] > (int64_t)bytes) throw std::runtime_error("the tokenizer's bytes are cut short");
}

bool Words::in_ranges(const std::vector<uint32_t>& ranges, uint32_t point) {
  const size_t at = (size_t)(std::lower_bound(ranges.begin(), ranges.end(), point) - ranges.begin());
  // An odd place is behind a range's first point; an even one may be that point itself.
  return at % 2 == 1 || (at < ranges.size() && ranges[at] == point);
}

std::string_view Words::token(int64_t id) const {
  return id < 0 || id >= count_ ? std::string_view() : std::string_view(bytes_ + starts_[id], starts_[id + 1] - starts_[id]);
}

int64_t Words::find(std::string_view bytes) const {
  const uint32_t* at = std::lower_bound(sorted_, sorted_ + sorted_count_, bytes, [&](uint32_t id, std::string_view b) { return token(id) < b; });
  return at < sorted_ + sorted_count_ && token(*at) == bytes ? (int64_t)*at : -1;
}

std::pair<int64_t, int32_t> Words::pair(int32_t left, int32_t right) const {
  if (!ranked_) {
    const int64_t id = find(std::string(token(left)).append(token(right)));
    return {id, (int32_t)id};
  }
  struct Pair { uint32_t left, right, rank, id; };
  const Pair *first = (const Pair*)pairs_, *last = first + pair_count_;
  const Pair* at = std::lower_bound(first, last, std::make_pair((uint32_t)left, (uint32_t)right), [](const Pair& p, const std::pair<uint32_t, uint32_t>& k) { return std::make_pair(p.left, p.right) < k; });
  if (at == last || at->left != (uint32_t)left || at->right != (uint32_t)right) return {-1, 0};
  return {at->rank, (int32_t)at->id};
}

void Words::merge(std::string_view word, std::vector<int32_t>& out) const {
  if (whole_) {
    const int64_t id = find(word);
    if (id >= 0) return out.push_back((int32_t)id);
  }
  struct Part { int32_t id; int64_t before, after; };
  struct Merge { int64_t rank, at, right; int32_t left_id, right_id, id; };
  const auto later = [](const Merge& a, const Merge& b) { return a.rank != b.rank ? a.rank > b.rank : a.at > b.at; };
  std::vector<Part> parts;
  for (size_t i = 0; i < word.size(); ++i) {
    const int64_t id = find(word.substr(i, 1));
    if (id < 0) throw std::runtime_error("the tokenizer lacks a byte");
    parts.push_back({(int32_t)id, (int64_t)i - 1, i + 1 < word.size() ? (int64_t)i + 1 : -1});
  }
  std::priority_queue<Merge, std::vector<Merge>, decltype(later)> queue(later);
  const auto offer = [&](int64_t at) {
    if (at < 0 || parts[(size_t)at].after < 0) return;
    const Part &l = parts[(size_t)at], &r = parts[(size_t)l.after];
    const auto [rank, id] = pair(l.id, r.id);
    if (rank >= 0) queue.push({rank, at, l.after, l.id, r.id, id});
  };
  for (size_t i = 0; i < parts.size(); ++i) offer((int64_t)i);
  while (!queue.empty()) {
    const Merge m = queue.top();
    queue.pop();
    Part& l = parts[(size_t)m.at];
    // Outdated unless both parts are still what they were; a part that was merged away has the id -1.
    if (l.id != m.left_id || l.after != m.right || parts[(size_t)m.right].id != m.right_id) continue;
    l.id = m.id;
    l.after = parts[(size_t)m.right].after;
    parts[(size_t)m.right].id = -1;
    if (l.after >= 0) parts[(size_t)l.after].before = m.at;
    offer(m.at);
    offer(l.before);
  }
  for (int64_t i = parts.empty() ? -1 : 0; i >= 0; i = parts[(size_t)i].after) out.push_back(parts[(size_t)i].id);
}

// What the pattern does not match between two words is a word too.
void Words::encode_words(std::string_view text, std::vector<int32_t>& out) const {
  const std::vector<Character> points = characters<Character>(text);
  const Matcher matcher(*this, points);
  const auto word = [&](size_t from, size_t to) { if (from < to) merge(text.substr(points[from].at, points[to].at - points[from].at), out); };
  size_t done = 0;
  for (size_t at = 0; at + 1 < points.size();) {
    const size_t end = matcher.match(at);
    if (end == at) { ++at; continue; }
    word(done, at);
    word(at, end);
    done = at = end;
  }
  word(done, points.size() - 1);
}

std::vector<int32_t> Words::encode(std::string_view text, bool specials) const {
  std::vector<int32_t> out;
  if (specials) out = prefix_;
  const std::vector<Character> points = characters<Character>(text);
  const auto stretch = [&](size_t from, size_t to) { encode_stretch(text.substr(points[from].at, points[to].at - points[from].at), specials, out); };
  size_t start = 0, run = 0;
  for (size_t i = 0; most_run_ > 0 && i + 1 < points.size(); ++i) {
    const bool again = i % most_text_ != 0 && in_ranges(space_, points[i].point) == in_ranges(space_, points[i - 1].point);
    run = again ? run + 1 : 1;
    if (i == start || (i % most_text_ != 0 && run <= most_run_)) continue;
    stretch(start, i);
    start = i;
    run = 1;
  }
  stretch(start, points.size() - 1);
  if (specials) out.insert(out.end(), suffix_.begin(), suffix_.end());
  return out;
}

void Words::encode_stretch(std::string_view text, bool specials, std::vector<int32_t>& out) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const auto found = std::find_if(specials_.begin(), specials_.end(), [&](const Special& s) { return (specials || !s.special) && text.compare(at, s.text.size(), s.text) == 0; });
    if (found == specials_.end()) { ++at; continue; }
    encode_words(text.substr(done, at - done), out);
    out.push_back(found->id);
    done = at += found->text.size();
  }
  encode_words(text.substr(done), out);
}

std::string_view Words::bytes(int32_t id, bool& special) const {
  const auto found = std::find_if(specials_.begin(), specials_.end(), [&](const Special& s) { return s.id == id; });
  special = found != specials_.end();
  return special ? std::string_view(found->text) : token(id);
}

}  // namespace firn
