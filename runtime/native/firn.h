/* The native core: loads a plan with compiled kernels and runs its entry points. Plain C interface, used by the Node
 * addon and by programs without Node. Functions that can fail return 0 (or NULL) and fill `error`. Not thread-safe: one
 * call at a time per executable. */
#ifndef FIRN_H
#define FIRN_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct firn_executable firn_executable;

/* `code` as in DeviceError (`D33`); `fix` is what the user can do. */
typedef struct { char code[8]; char message[1024]; char fix[256]; } firn_error;

/* Programs begin .. end - 1 of a kernel's grid. */
typedef void (*firn_function)(const void* const* views, const int64_t* dims, int64_t begin, int64_t end);

/* Where a kernel of the plan is: its function, or (if that is NULL) a shared object and the symbol in it. */
typedef struct { const char* kernel; const char* library; const char* symbol; firn_function function; } firn_kernel;

/* Memory of a buffer that the caller owns and keeps while the executable lives: weights mapped from a file, say. */
typedef struct { const char* buffer; void* data; size_t bytes; } firn_memory;
typedef struct { const char* name; int64_t value; } firn_dim;
typedef struct { const char* name; void* data; size_t bytes; } firn_array;

/* Nanoseconds and launches of one kernel since timing was switched on. */
typedef struct { const char* kernel; uint64_t nanoseconds; uint64_t launches; } firn_time;

/* `plan`: JSON text. Allocates the plan's buffers (zeroed) but for those in `given`, fills constants and state. `threads`
 * includes the caller's. */
firn_executable* firn_load(const char* plan, size_t length, const firn_kernel* kernels, size_t count, const firn_memory* given, size_t given_count, int threads, firn_error* error);
void firn_close(firn_executable*);

size_t firn_buffer_count(const firn_executable*);
const char* firn_buffer_id(const firn_executable*, size_t index);
size_t firn_buffer_bytes(const firn_executable*, size_t index);

/* The memory of a buffer, 64-byte aligned; NULL if there is none of that name. */
uint8_t* firn_buffer(firn_executable*, const char* id);
void firn_reset_state(firn_executable*);

/* Runs an entry to its end. Dims that no entry states keep their largest value. Inputs and outputs are row-major. */
int firn_run(firn_executable*, const char* entry, const firn_dim* dims, size_t dim_count, const firn_array* inputs, size_t input_count, const firn_array* outputs, size_t output_count, firn_error* error);

/* Switching on sets all times to 0. */
void firn_set_timing(firn_executable*, int on);
size_t firn_times(const firn_executable*, firn_time* out, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
