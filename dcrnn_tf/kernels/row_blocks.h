// The examples of a batch in blocks, shared out among threads, with sums that do not depend on them.

#ifndef DCRNN_TF_KERNELS_ROW_BLOCKS_H_
#define DCRNN_TF_KERNELS_ROW_BLOCKS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "own_rows.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

namespace dcrnn_tf {

constexpr int64_t kBlockRows = 64;

inline int64_t Blocks(int64_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }

// Calls `work(group, block, begin, end)` for each group and each block of `rows`, on all threads;
// `cost` is that of one row, in cycles.
template <typename Work>
void ForEachBlock(tensorflow::OpKernelContext* context, int64_t groups, int64_t rows, int64_t cost,
                  Work work) {
  const auto& workers = *context->device()->tensorflow_cpu_worker_threads();
  const int64_t blocks = Blocks(rows);
  tensorflow::Shard(workers.num_threads, workers.workers, groups * blocks, kBlockRows * cost,
                    [&](int64_t begin, int64_t end) {
                      for (int64_t i = begin; i < end; ++i) {
                        const int64_t block = i % blocks, first = block * kBlockRows;
                        work(i / blocks, block, first, std::min(first + kBlockRows, rows));
                      }
                    });
}

// Sums of columns over a batch: those of each block first, then the blocks' in their order.
class ColumnSums {
 public:
  ColumnSums(int64_t rows, int64_t columns)
      : columns_(columns), of_blocks_(Blocks(rows) * columns, 0.0f) {}

  float* block(int64_t number) { return of_blocks_.data() + number * columns_; }

  void Total(float* total) const {
    std::fill(total, total + columns_, 0.0f);
    for (size_t at = 0; at < of_blocks_.size(); at += columns_) {
      for (int64_t i = 0; i < columns_; ++i) total[i] += of_blocks_[at + i];
    }
  }

 private:
  int64_t columns_;
  std::vector<float> of_blocks_;
};

}  // namespace dcrnn_tf

#endif  // DCRNN_TF_KERNELS_ROW_BLOCKS_H_
