// A model as a program of its own: arguments, tokens in, tokens out.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "generator.h"
#include "json.h"
#include "program.h"
#include "text.h"
#include "words.h"

// Written at build time: the kernels of the plan.
extern "C" const firn_kernel firn_kernels[];
extern "C" const size_t firn_kernel_count;

namespace {

using namespace firn;

struct UsageError : std::runtime_error { using std::runtime_error::runtime_error; };

struct Options {
  std::string tokens, prompt;
  bool has_prompt = false, help = false, specials = true, encode = false;
  int64_t max_tokens = 64;
  int threads = (int)std::thread::hardware_concurrency();
  Sampling sampling;
};

std::atomic<bool> aborted{false};

// The first Ctrl-C ends the text and still reports; the next one ends the program.
void interrupt(int) {
  if (aborted.exchange(true)) _exit(130);
}

double number(const std::string& flag, const char* text, double low, double high, const char* what) {
  char* end = nullptr;
  const double value = strtod(text, &end);
  if (*text == '\0' || *end != '\0' || !(value >= low && value <= high)) throw UsageError(flag + " is '" + text + "'; it must be " + what);
  return value;
}

int64_t whole(const std::string& flag, const char* text, double low, double high, const char* what) {
  const double value = number(flag, text, low, high, what);
  if (value != std::floor(value)) throw UsageError(flag + " is '" + text + "'; it must be " + what);
  return (int64_t)value;
}

void take(Options& o, const std::string& flag, const char* value) {
  if (flag == "--tokens") o.tokens = value;
  else if (flag == "--prompt") { o.prompt = value; o.has_prompt = true; }
  else if (flag == "--max-tokens") o.max_tokens = whole(flag, value, 1, 9007199254740991.0, "a whole number of 1 or more");
  else if (flag == "--temperature") o.sampling.temperature = (float)number(flag, value, 0, 3.4e38, "a number of 0 or more; 0 takes the likeliest token");
  else if (flag == "--seed") o.sampling.seed = (uint32_t)whole(flag, value, 0, 4294967295.0, "a whole number from 0 to 4294967295");
  else if (flag == "--top-k") o.sampling.top_k = whole(flag, value, 0, 2147483647.0, "a whole number; 0 is no limit");
  else if (flag == "--top-p") o.sampling.top_p = (float)number(flag, value, 1e-30, 1, "more than 0 and at most 1; 1 is no limit");
  else if (flag == "--threads") o.threads = (int)whole(flag, value, 1, 4096, "a whole number from 1 to 4096");
  else throw UsageError("unknown option '" + flag + "'");
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag == "--help" || flag == "-h") { o.help = true; return o; }
    if (flag == "--no-specials") { o.specials = false; continue; }
    if (flag == "--encode") { o.encode = true; continue; }
    const size_t equals = flag.find('=');
    if (equals != std::string::npos && flag.rfind("--", 0) == 0) take(o, flag.substr(0, equals), argv[i] + equals + 1);
    else if (flag.rfind("--", 0) != 0) throw UsageError("unexpected '" + flag + "'");
    else if (i + 1 == argc) throw UsageError(flag + " lacks its value");
    else take(o, flag, argv[++i]);
  }
  if (o.has_prompt == !o.tokens.empty()) throw UsageError("give --prompt TEXT or --tokens IDS.json");
  if (o.has_prompt && o.prompt.empty()) throw UsageError("the prompt is empty; give it at least one character");
  return o;
}

void print_help(const Program& p, const char* name) {
  printf("%s, built by firn: %lld ids, context %lld, for processors with %s\n\n", p.model.c_str(), (long long)p.vocabulary, (long long)p.context, p.processor.c_str());
  printf("Usage: %s --tokens IDS.json | --prompt TEXT [options]\n\n", name);
  printf("  --tokens <ids.json>  token ids to continue: an array of ids, or an array of such arrays\n");
  printf("  --prompt <text>      text to continue%s\n", p.tokenizer == "bytes" ? ", as bytes" : p.tokenizer.empty() ? (" (not in this program: " + p.without_tokenizer + ")").c_str() : "");
  if (!p.tokenizer.empty()) printf("  --encode             print the prompt's ids and stop\n");
  if (p.tokenizer == "pieces") printf("  --no-specials        take text that spells a special token as plain text\n");
  printf("  --max-tokens <n>     how many tokens to add at most (default: 64)\n");
  printf("  --temperature <t>    0 takes the likeliest token (default: 0)\n");
  printf("  --top-k <k>          draw from the k likeliest tokens; 0 from all (default: 0)\n");
  printf("  --top-p <p>          of those, draw from the likeliest that together have this share (default: 1)\n");
  printf("  --seed <n>           of the sampling (default: 0)\n");
  printf("  --threads <n>        (default: one per core)\n");
}

std::vector<int32_t> read_ids(const Json& list, size_t prompt, const std::string& path, int64_t vocabulary) {
  const auto bad = [&](const std::string& why) { return UserError("C10", path + ": prompt " + std::to_string(prompt) + " " + why, "write an array of prompts, each an array of token ids: [[1, 2, 3], [4, 5]]"); };
  if (list.kind != Json::array || list.items.empty()) throw bad("is not an array of one id or more");
  std::vector<int32_t> out;
  for (const Json& id : list.items) {
    if (id.kind != Json::number || id.value != std::floor(id.value) || id.value < 0) throw bad("holds something that is no token id");
    if (id.value >= (double)vocabulary) throw UserError("R01", "token id " + std::to_string((long long)id.value) + " is outside the vocabulary of " + std::to_string(vocabulary), "use the tokenizer that belongs to this model");
    out.push_back((int32_t)id.value);
  }
  return out;
}

std::vector<std::vector<int32_t>> read_prompts(const std::string& path, int64_t vocabulary) {
  Json json;
  try {
    json = parse_json(read_text(path, "X06"));
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& e) {
    throw UserError("C10", path + ": is not JSON: " + e.what(), "write an array of prompts, each an array of token ids: [[1, 2, 3], [4, 5]]");
  }
  if (json.kind != Json::array || json.items.empty()) throw UserError("C10", path + ": is not an array with a prompt in it", "write an array of prompts, each an array of token ids: [[1, 2, 3], [4, 5]]");
  if (json.items[0].kind == Json::number) return {read_ids(json, 0, path, vocabulary)};
  std::vector<std::vector<int32_t>> out;
  for (const Json& list : json.items) out.push_back(read_ids(list, out.size(), path, vocabulary));
  return out;
}

// Text of one kind or another; `words` is null for bytes.
class Text {
 public:
  Text(const Program& p) {
    if (p.tokenizer.empty()) throw UserError("X07", "this program takes no text: " + p.without_tokenizer, "give token ids instead (--tokens IDS.json)");
    if (p.tokenizer == "pieces") words_ = std::make_unique<Words>(p.tokenizer_description, p.tokenizer_tables.data, p.tokenizer_tables.bytes);
  }

  std::vector<int32_t> encode(const std::string& text, bool specials) const {
    if (words_) return words_->encode(text, specials);
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back((uint8_t)c);
    return ids;
  }

  std::string push(int32_t id) {
    bool special = false;
    const char byte = (char)id;
    const std::string_view bytes = words_ ? words_->bytes(id, special) : id < 256 ? std::string_view(&byte, 1) : std::string_view();
    if (special) return stream_.end() + std::string(bytes);
    if (bytes.empty()) return stream_.end() + "<" + std::to_string(id) + ">";
    std::string out;
    for (const char b : bytes) out += stream_.push((uint8_t)b);
    return out;
  }

  std::string end() { return stream_.end(); }

 private:
  std::unique_ptr<Words> words_;
  Utf8Stream stream_;
};

void put(const std::string& text) {
  if (text.empty()) return;
  if (fwrite(text.data(), 1, text.size(), stdout) != text.size() || fflush(stdout) != 0) exit(errno == EPIPE ? 0 : 74);
}

void report(const Generation& g) {
  const auto rate = [](int64_t tokens, double seconds) {
    const bool brief = seconds < 1;
    fprintf(stderr, "%lld %s in %.*f %s (%.1f tokens/s)", (long long)tokens, tokens == 1 ? "token" : "tokens", brief ? 1 : 2, brief ? 1000 * seconds : seconds, brief ? "ms" : "s", (double)tokens / seconds);
  };
  fprintf(stderr, "prompt ");
  rate(g.prompt, g.prefill);
  if (g.decoded > 0) {
    fprintf(stderr, "; decode ");
    rate(g.decoded, g.decode);
  }
  fprintf(stderr, "; ended by %s\n", g.reason);
}

void continue_prompts(const Options& o, const Program& p) {
  std::unique_ptr<Text> text;
  if (o.has_prompt) text = std::make_unique<Text>(p);
  const std::vector<std::vector<int32_t>> prompts = text ? std::vector<std::vector<int32_t>>{text->encode(o.prompt, o.specials)} : read_prompts(o.tokens, p.vocabulary);
  if (o.encode) {
    for (const int32_t id : prompts[0]) put(std::to_string(id) + " ");
    put("\n");
    return;
  }
  Generator generator(p, firn_kernels, firn_kernel_count, o.threads);
  for (const std::vector<int32_t>& prompt : prompts) {
    const Generation g = generator.run(prompt, o.max_tokens, o.sampling, aborted, [&](int32_t id) {
      put(text ? text->push(id) : std::to_string(id) + " ");
    });
    put((text ? text->end() : std::string()) + "\n");
    report(g);
    if (aborted) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, interrupt);
  try {
    const Options options = parse(argc, argv);
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
    if (length <= 0) throw UserError("X01", "/proc/self/exe cannot be read", "mount /proc");
    const Program program = open_program(std::string(self, (size_t)length));
    if (options.help) return print_help(program, argv[0]), 0;
    check_processor(program);
    continue_prompts(options, program);
    return 0;
  } catch (const UsageError& e) {
    fprintf(stderr, "error: %s\n(%s --help shows what it takes)\n", e.what(), argv[0]);
    return 2;
  } catch (const UserError& e) {
    fprintf(stderr, "error[%s]: %s\n  = fix: %s\n", e.code.c_str(), e.what(), e.fix.c_str());
    return 1;
  } catch (const std::exception& e) {
    fprintf(stderr, "internal error: this is a fault in the program, not in your input\n%s\n", e.what());
    return 70;
  }
}
