// The distinct rows of a table among many row numbers, shared out among threads.

#ifndef DCRNN_TF_KERNELS_OWN_ROWS_H_
#define DCRNN_TF_KERNELS_OWN_ROWS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

#if defined(__x86_64__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace dcrnn_tf {

constexpr int32_t kNone = -1;
constexpr int64_t kAhead = 8;  // rows fetched before they are needed

inline void Fetch(const float* row, int64_t dim, bool to_write) {
  constexpr int64_t kLineFloats = 16;  // floats of a cache line
  for (int64_t i = 0; i < dim; i += kLineFloats) {
    to_write ? __builtin_prefetch(row + i, 1) : __builtin_prefetch(row + i, 0);
  }
}

inline uint32_t Scattered(int32_t row) { return static_cast<uint32_t>(row) * 2654435761u; }

// The distinct rows that one thread owns, and the slices that belong to them, in their order.
class OwnRows {
 public:
  OwnRows() = default;

  OwnRows(const int32_t* rows, int64_t count, int64_t part, int64_t parts) {
    uses_.reserve(count / parts + count / 16);
    for (int64_t slice = 0; slice < count; ++slice) {
      // The highest bits choose the thread, lower ones the slot.
      if (static_cast<int64_t>((uint64_t{Scattered(rows[slice])} * parts) >> 32) == part) {
        uses_.push_back({static_cast<int32_t>(slice), kNone});
      }
    }
    int bits = 4;  // regularly spaced rows may all fall to one thread: half of its slots stay free
    while ((size_t{1} << bits) < 2 * uses_.size()) ++bits;
    std::vector<int32_t> slots(size_t{1} << bits, kNone);
    const uint32_t mask = (uint32_t{1} << bits) - 1;
    for (Use& use : uses_) {
      const int32_t row = rows[use.slice];
      uint32_t slot = (Scattered(row) >> 4) & mask;
      while (slots[slot] != kNone && rows_[slots[slot]] != row) slot = (slot + 1) & mask;
      if (slots[slot] == kNone) {
        slots[slot] = static_cast<int32_t>(rows_.size());
        rows_.push_back(row);
      }
      use.place = slots[slot];
    }
  }

  struct Use {
    int32_t slice;
    int32_t place;  // of its row among the distinct ones
  };

  int64_t size() const { return rows_.size(); }
  int64_t row(int64_t place) const { return rows_[place]; }
  const std::vector<Use>& uses() const { return uses_; }

 private:
  std::vector<int32_t> rows_;
  std::vector<Use> uses_;
};

// Threads that share out so many slices.
inline int64_t Parts(tensorflow::OpKernelContext* context, int64_t count) {
  constexpr int64_t kLeastSlices = 256;  // that a thread is worth
  const int64_t threads = context->device()->tensorflow_cpu_worker_threads()->num_threads;
  return std::max<int64_t>(1, std::min(threads, count / kLeastSlices));
}

// Calls `work(part, parts)` for each part of so many slices, on all threads; `cost` is that of one
// slice, in cycles.
template <typename Work>
void ForEachPart(tensorflow::OpKernelContext* context, int64_t count, int64_t cost, Work work) {
  const auto& workers = *context->device()->tensorflow_cpu_worker_threads();
  const int64_t parts = Parts(context, count);
  tensorflow::Shard(workers.num_threads, workers.workers, parts, (count / parts + 1) * cost,
                    [&](int64_t begin, int64_t end) {
                      for (int64_t part = begin; part < end; ++part) work(part, parts);
                    });
}

}  // namespace dcrnn_tf

#endif  // DCRNN_TF_KERNELS_OWN_ROWS_H_
