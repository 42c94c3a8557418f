#include "program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>

#include "json.h"

namespace firn {
namespace {

// Magic, offset and length of the description, size of the whole file; all little-endian.
struct Trailer { char magic[8]; uint64_t offset, length, size; };
constexpr char magic[9] = "FIRNPRG1", beside_magic[9] = "FIRNWGT1";

const char* rebuild = "build it again with firn build";

class File {
 public:
  explicit File(const std::string& path) : path_(path), descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat info;
    if (descriptor < 0 || fstat(descriptor, &info) != 0) throw UserError("X01", path + ": " + strerror(errno), "check the path and its permissions");
    size = info.st_size;
  }
  ~File() { if (descriptor >= 0) close(descriptor); }
  File(const File&) = delete;

  void read(void* to, int64_t bytes, int64_t at) const {
    for (int64_t done = 0; done < bytes;) {
      const ssize_t n = pread(descriptor, (char*)to + done, (size_t)(bytes - done), at + done);
      if (n <= 0) throw UserError("X03", path_ + " is cut short", rebuild);
      done += n;
    }
  }

  std::string text(int64_t bytes, int64_t at) const {
    if (bytes < 0 || at < 0 || at > size - bytes) throw UserError("X03", path_ + " is damaged: a part of it lies outside the file", rebuild);
    std::string out((size_t)bytes, '\0');
    read(out.data(), bytes, at);
    return out;
  }

 private:
  std::string path_;

 public:
  int descriptor;
  int64_t size = 0;
};

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> out;
  for (const Json& s : list.list()) out.push_back(s.str());
  return out;
}

Program describe(const Json& j) {
  Program p;
  p.model = j.at("model").str();
  p.processor = j.at("processor").str();
  p.needs = strings(j.at("needs"));
  for (const Json& e : j.at("entries").list()) p.entries.push_back({e.at("name").str(), e.at("tokens").integer(), strings(e.at("dims")), strings(e.at("inputs"))});
  for (const Json& s : j.at("stop").list()) p.stop.push_back(s.integer());
  p.vocabulary = j.at("vocabulary").integer();
  p.block = j.at("block").integer();
  p.context = j.at("context").integer();
  p.tokenizer = j.at("tokenizer").at("kind").str();
  p.without_tokenizer = j.at("tokenizer").at("why").str();
  return p;
}

// Opens the file that holds the weights: the program's own, or the one beside it, which must be of the same build.
void map_weights(Program& p, const Json& j, const File& own, const std::string& path) {
  const std::string beside = j.at("beside").str();
  const std::string file = beside.empty() ? path : path.substr(0, path.rfind('/') + 1) + beside;
  std::unique_ptr<File> other;
  if (!beside.empty()) {
    other = std::make_unique<File>(file);
    const std::string id = j.at("id").str(), head = other->text(std::min<int64_t>(other->size, 8 + (int64_t)id.size()), 0);
    if (head != beside_magic + id) throw UserError("X04", file + " does not hold the weights of this build of " + p.model, "put the two files that firn build wrote beside each other");
  }
  const File& from = other ? *other : own;
  for (const Json& w : j.at("weights").list()) {
    const int64_t offset = w.at("offset").integer(), bytes = w.at("bytes").integer();
    if (offset < 0 || bytes < 0 || offset > from.size - bytes) throw UserError("X03", file + " is cut short: it lacks weights", rebuild);
    p.weights.emplace_back(w.at("buffer").str(), Mapping(from.descriptor, offset, bytes, file));
  }
}

void map_tokenizer(Program& p, const Json& j, const File& file, const std::string& path) {
  const int64_t offset = j.at("tables").at("offset").integer(), bytes = j.at("tables").at("bytes").integer();
  if (offset < 0 || bytes < 0 || offset > file.size - bytes) throw UserError("X03", path + " is damaged: its tokenizer lies outside the file", rebuild);
  p.tokenizer_tables = Mapping(file.descriptor, offset, bytes, path);
  p.tokenizer_description = j;
}

}  // namespace

Mapping::Mapping(int file, int64_t offset, int64_t length, const std::string& path) : bytes((size_t)length) {
  if (length == 0) return;
  void* p = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, offset);
  if (p == MAP_FAILED) throw UserError("X01", path + " cannot be mapped: " + strerror(errno), "check the file and the memory limits of this process");
  data = (uint8_t*)p;
}
Mapping::~Mapping() { if (data) munmap(data, bytes); }
Mapping::Mapping(Mapping&& other) noexcept : data(other.data), bytes(other.bytes) { other.data = nullptr; }
Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data, other.data);
  std::swap(bytes, other.bytes);
  return *this;
}

Program open_program(const std::string& path) {
  const File file(path);
  Trailer t{};
  if (file.size >= (int64_t)sizeof t) file.read(&t, sizeof t, file.size - (int64_t)sizeof t);
  if (memcmp(t.magic, magic, 8) != 0) throw UserError("X02", path + " holds no model; it may be cut short", rebuild);
  if ((int64_t)t.size != file.size) throw UserError("X03", path + " has " + std::to_string(file.size) + " bytes, it was built with " + std::to_string(t.size), rebuild);
  try {
    const Json j = parse_json(file.text((int64_t)t.length, (int64_t)t.offset));
    Program p = describe(j);
    p.plan = file.text(j.at("plan").at("bytes").integer(), j.at("plan").at("offset").integer());
    map_weights(p, j, file, path);
    if (p.tokenizer == "pieces") map_tokenizer(p, j.at("tokenizer"), file, path);
    return p;
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& e) {
    throw UserError("X03", path + " is damaged: " + e.what(), rebuild);
  }
}

void check_processor(const Program& program) {
  std::ifstream info("/proc/cpuinfo");
  std::set<std::string> has;
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string w; words >> w;) has.insert(w);
    break;
  }
  std::string missing;
  for (const std::string& n : program.needs) if (!has.count(n)) missing += (missing.empty() ? "" : ", ") + n;
  if (!missing.empty()) throw UserError("X05", "this program was built for processors with " + program.processor + "; this one lacks " + missing, "build it with --cpu portable, or --cpu native on this machine");
}

std::string read_text(const std::string& path, const char* code) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw UserError(code, path + ": " + strerror(errno), "check the path and its permissions");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace firn
