// The core as a Node addon: one call per entry run, executed off the event loop; arrays are read and written in place.
#include <napi.h>

#include <cstring>
#include <string>
#include <vector>

#include "firn.h"

namespace {

Napi::Error device_error(Napi::Env env, const firn_error& e) {
  Napi::Error error = Napi::Error::New(env, e.message);
  error.Set("code", Napi::String::New(env, e.code));
  error.Set("fix", Napi::String::New(env, e.fix));
  return error;
}

// A run's arguments; the typed arrays are kept alive by the reference to the JavaScript object that holds them.
struct Run {
  std::string entry;
  std::vector<std::string> names;
  std::vector<firn_dim> dims;
  std::vector<firn_array> inputs, outputs;
};

class RunWorker : public Napi::AsyncWorker {
 public:
  RunWorker(Napi::Env env, firn_executable* executable, Run run, Napi::Object arguments)
      : Napi::AsyncWorker(env), deferred(Napi::Promise::Deferred::New(env)), executable_(executable), run_(std::move(run)), arguments_(Napi::Persistent(arguments)) {}

  void Execute() override {
    ok_ = firn_run(executable_, run_.entry.c_str(), run_.dims.data(), run_.dims.size(), run_.inputs.data(), run_.inputs.size(), run_.outputs.data(), run_.outputs.size(), &error_);
  }

  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (ok_) deferred.Resolve(Env().Undefined());
    else deferred.Reject(device_error(Env(), error_).Value());
  }

  Napi::Promise::Deferred deferred;

 private:
  firn_executable* executable_;
  Run run_;
  Napi::ObjectReference arguments_;
  int ok_ = 0;
  firn_error error_{};
};

class Executable : public Napi::ObjectWrap<Executable> {
 public:
  static Napi::Function Init(Napi::Env env) {
    return DefineClass(env, "Executable", {
      InstanceMethod("buffers", &Executable::Buffers), InstanceMethod("write", &Executable::Write), InstanceMethod("read", &Executable::Read),
      InstanceMethod("resetState", &Executable::ResetState), InstanceMethod("run", &Executable::RunEntry), InstanceMethod("setTiming", &Executable::SetTiming),
      InstanceMethod("times", &Executable::Times), InstanceMethod("close", &Executable::Close),
    });
  }

  // new Executable(plan: string, kernels: { kernel, library, symbol }[], threads: number)
  explicit Executable(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Executable>(info) {
    const std::string plan = info[0].As<Napi::String>();
    const Napi::Array list = info[1].As<Napi::Array>();
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::Object k = list.Get(i).As<Napi::Object>();
      for (const char* part : {"kernel", "library", "symbol"}) texts.push_back(k.Get(part).As<Napi::String>());
    }
    std::vector<firn_kernel> kernels;
    for (size_t i = 0; i < texts.size(); i += 3) kernels.push_back({texts[i].c_str(), texts[i + 1].c_str(), texts[i + 2].c_str(), nullptr});
    firn_error error{};
    executable_ = firn_load(plan.data(), plan.size(), kernels.data(), kernels.size(), nullptr, 0, info[2].As<Napi::Number>().Int32Value(), &error);
    if (!executable_) throw device_error(info.Env(), error);
  }

  ~Executable() override { if (executable_) firn_close(executable_); }

 private:
  firn_executable* executable_ = nullptr;

  Napi::Value Buffers(const Napi::CallbackInfo& info) {
    Napi::Object out = Napi::Object::New(info.Env());
    for (size_t i = 0; i < firn_buffer_count(executable_); ++i) out.Set(firn_buffer_id(executable_, i), Napi::Number::New(info.Env(), (double)firn_buffer_bytes(executable_, i)));
    return out;
  }

  // write(buffer, offset, bytes): the caller has checked the range
  Napi::Value Write(const Napi::CallbackInfo& info) {
    const Napi::Uint8Array bytes = info[2].As<Napi::Uint8Array>();
    memcpy(place(info), bytes.Data(), bytes.ByteLength());
    return info.Env().Undefined();
  }

  // read(buffer, offset, into)
  Napi::Value Read(const Napi::CallbackInfo& info) {
    Napi::Uint8Array into = info[2].As<Napi::Uint8Array>();
    memcpy(into.Data(), place(info), into.ByteLength());
    return info.Env().Undefined();
  }

  uint8_t* place(const Napi::CallbackInfo& info) {
    uint8_t* base = firn_buffer(executable_, std::string(info[0].As<Napi::String>()).c_str());
    if (!base) throw Napi::Error::New(info.Env(), "no such buffer");
    return base + (size_t)info[1].As<Napi::Number>().Int64Value();
  }

  Napi::Value ResetState(const Napi::CallbackInfo& info) {
    firn_reset_state(executable_);
    return info.Env().Undefined();
  }

  static std::vector<firn_array> arrays(const Napi::Object& object, std::vector<std::string>& names) {
    std::vector<firn_array> out;
    const Napi::Array keys = object.GetPropertyNames();
    for (uint32_t i = 0; i < keys.Length(); ++i) {
      names.push_back(keys.Get(i).As<Napi::String>());
      const Napi::TypedArray array = object.Get(names.back()).As<Napi::TypedArray>();
      out.push_back({names.back().c_str(), (uint8_t*)array.ArrayBuffer().Data() + array.ByteOffset(), array.ByteLength()});
    }
    return out;
  }

  // run({ entry, dims: { name: number }, inputs: { name: array }, outputs: { name: array } }): Promise<void>
  Napi::Value RunEntry(const Napi::CallbackInfo& info) {
    const Napi::Object arguments = info[0].As<Napi::Object>();
    Run run;
    run.entry = arguments.Get("entry").As<Napi::String>();
    const Napi::Object dims = arguments.Get("dims").As<Napi::Object>(), inputs = arguments.Get("inputs").As<Napi::Object>(), outputs = arguments.Get("outputs").As<Napi::Object>();
    const Napi::Array keys = dims.GetPropertyNames();
    // Names are pointed to: the vector must not grow while it is filled.
    run.names.reserve(keys.Length() + inputs.GetPropertyNames().Length() + outputs.GetPropertyNames().Length());
    for (uint32_t i = 0; i < keys.Length(); ++i) {
      run.names.push_back(keys.Get(i).As<Napi::String>());
      run.dims.push_back({run.names.back().c_str(), dims.Get(run.names.back()).As<Napi::Number>().Int64Value()});
    }
    run.inputs = arrays(inputs, run.names);
    run.outputs = arrays(outputs, run.names);
    auto* worker = new RunWorker(info.Env(), executable_, std::move(run), arguments);
    const Napi::Promise promise = worker->deferred.Promise();
    worker->Queue();
    return promise;
  }

  Napi::Value SetTiming(const Napi::CallbackInfo& info) {
    firn_set_timing(executable_, info[0].As<Napi::Boolean>() ? 1 : 0);
    return info.Env().Undefined();
  }

  // times(): { kernel, nanoseconds, launches }[]
  Napi::Value Times(const Napi::CallbackInfo& info) {
    std::vector<firn_time> times(firn_times(executable_, nullptr, 0));
    firn_times(executable_, times.data(), times.size());
    Napi::Array out = Napi::Array::New(info.Env());
    for (const firn_time& t : times) {
      Napi::Object o = Napi::Object::New(info.Env());
      o.Set("kernel", t.kernel);
      o.Set("nanoseconds", (double)t.nanoseconds);
      o.Set("launches", (double)t.launches);
      out.Set(out.Length(), o);
    }
    return out;
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    if (executable_) firn_close(executable_);
    executable_ = nullptr;
    return info.Env().Undefined();
  }
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Executable", Executable::Init(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(firn, Init)
