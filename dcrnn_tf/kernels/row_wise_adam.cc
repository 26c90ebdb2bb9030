// Lazy Adam on the rows of a batch, in one pass: repeated rows are summed in the order in which they
// come, then weights and moments are read and written once. The arithmetic is that of `LazyAdam` in
// TensorFlow's operations, step by step, so that the results agree to the bit.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/kernels/training_op_helpers.h"
#include "tensorflow/core/util/work_sharder.h"

namespace dcrnn_tf {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::Var;
using tensorflow::core::RefCountPtr;

constexpr int32_t kNone = -1;
constexpr int kAhead = 8;           // rows fetched before they are needed
constexpr int64_t kLineFloats = 16;  // floats of a cache line

uint32_t Scattered(int32_t row) { return static_cast<uint32_t>(row) * 2654435761u; }

// The distinct rows that one thread owns, each with a chain of the slices that belong to it.
class OwnRows {
 public:
  // `next` has a place for each slice; threads write places of their own rows alone.
  OwnRows(const int32_t* rows, int64_t count, int64_t part, int64_t parts, int32_t* next)
      : next_(next) {
    int bits = 4;
    while ((int64_t{1} << bits) * parts < 3 * count) ++bits;
    std::vector<int32_t> slots(size_t{1} << bits, kNone);
    const uint32_t mask = (uint32_t{1} << bits) - 1;
    for (int64_t slice = 0; slice < count; ++slice) {
      const uint32_t hash = Scattered(rows[slice]);
      // The highest bits choose the thread, lower ones the slot.
      if (static_cast<int64_t>((uint64_t{hash} * parts) >> 32) != part) continue;
      next_[slice] = kNone;
      uint32_t slot = (hash >> 4) & mask;
      while (slots[slot] != kNone && rows_[slots[slot]] != rows[slice]) slot = (slot + 1) & mask;
      if (slots[slot] == kNone) {
        slots[slot] = static_cast<int32_t>(rows_.size());
        rows_.push_back(rows[slice]);
        first_.push_back(slice);
        last_.push_back(slice);
      } else {
        int32_t& last = last_[slots[slot]];
        next_[last] = slice;
        last = slice;
      }
    }
  }

  int64_t size() const { return rows_.size(); }
  int64_t row(int64_t position) const { return rows_[position]; }
  int32_t first(int64_t position) const { return first_[position]; }
  int32_t next(int32_t slice) const { return next_[slice]; }

 private:
  int32_t* next_;
  std::vector<int32_t> rows_, first_, last_;
};

void Fetch(const float* row, int64_t dim) {
  for (int64_t i = 0; i < dim; i += kLineFloats) __builtin_prefetch(row + i, 1);
}

#if defined(__x86_64__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

FOR_EACH_PROCESSOR
void Add(const float* __restrict more, int64_t dim, float* __restrict sum) {
  for (int64_t i = 0; i < dim; ++i) sum[i] += more[i];
}

struct Step {
  float rate, beta_1, beta_2, epsilon;
};

FOR_EACH_PROCESSOR
void Update(const Step& step, const float* __restrict g, int64_t dim, float* __restrict w,
            float* __restrict m, float* __restrict v) {
  const float rest_1 = 1.0f - step.beta_1, rest_2 = 1.0f - step.beta_2;
  for (int64_t i = 0; i < dim; ++i) {
    m[i] = step.beta_1 * m[i] + rest_1 * g[i];
    v[i] = step.beta_2 * v[i] + rest_2 * (g[i] * g[i]);
    w[i] = w[i] - step.rate * m[i] / (std::sqrt(v[i]) + step.epsilon);
  }
}

class RowWiseAdamOp : public OpKernel {
 public:
  explicit RowWiseAdamOp(OpKernelConstruction* context) : OpKernel(context) {}

  void Compute(OpKernelContext* context) override {
    RefCountPtr<Var> variables[3];
    for (int i = 0; i < 3; ++i) {
      OP_REQUIRES_OK(context, LookupResource(context, tensorflow::HandleFromInput(context, i),
                                             &variables[i]));
      // From now on those who read the whole variable get a copy, which no write can change.
      OP_REQUIRES_OK(context,
                     (tensorflow::EnsureSparseVariableAccess<Eigen::ThreadPoolDevice, float>(
                         context, variables[i].get())));
    }
    // Always in the order of table, first and second moments.
    tensorflow::mutex_lock lock_weights(*variables[0]->mu());
    tensorflow::mutex_lock lock_momentums(*variables[1]->mu());
    tensorflow::mutex_lock lock_velocities(*variables[2]->mu());
    Tensor* weights = variables[0]->tensor();
    Tensor* momentums = variables[1]->tensor();
    Tensor* velocities = variables[2]->tensor();
    const Tensor& rows = context->input(3);
    const Tensor& gradients = context->input(4);
    OP_REQUIRES(context,
                weights->dims() == 2 && momentums->shape() == weights->shape() &&
                    velocities->shape() == weights->shape(),
                tensorflow::errors::InvalidArgument("table and moments must have one shape"));
    const int64_t height = weights->dim_size(0), dim = weights->dim_size(1);
    const int64_t count = rows.NumElements();
    OP_REQUIRES(context,
                rows.dims() == 1 && gradients.dims() == 2 && gradients.dim_size(0) == count &&
                    gradients.dim_size(1) == dim && count < (int64_t{1} << 31),
                tensorflow::errors::InvalidArgument("gradients must have one row for each of rows, "
                                                    "as wide as the table"));
    const int32_t* row = rows.flat<int32_t>().data();
    for (int64_t i = 0; i < count; ++i) {
      OP_REQUIRES(context, row[i] >= 0 && row[i] < height,
                  tensorflow::errors::InvalidArgument("row ", row[i], " is not in [0, ", height,
                                                      ")"));
    }
    const Step step{context->input(5).scalar<float>()(), context->input(6).scalar<float>()(),
                    context->input(7).scalar<float>()(), context->input(8).scalar<float>()()};
    float* w = weights->flat<float>().data();
    float* m = momentums->flat<float>().data();
    float* v = velocities->flat<float>().data();
    const float* g = gradients.flat<float>().data();
    std::vector<int32_t> next(count);

    auto update = [&](int64_t part, int64_t parts) {
      const OwnRows own(row, count, part, parts, next.data());
      std::vector<float> sum(dim);
      for (int64_t i = 0; i < own.size(); ++i) {
        if (i + kAhead < own.size()) {
          const int64_t ahead = own.row(i + kAhead) * dim;
          Fetch(w + ahead, dim);
          Fetch(m + ahead, dim);
          Fetch(v + ahead, dim);
        }
        int32_t slice = own.first(i);
        const float* total = g + slice * dim;
        if (own.next(slice) != kNone) {
          std::copy(total, total + dim, sum.begin());
          while ((slice = own.next(slice)) != kNone) {
            Add(g + slice * dim, dim, sum.data());
          }
          total = sum.data();
        }
        const int64_t place = own.row(i) * dim;
        Update(step, total, dim, w + place, m + place, v + place);
      }
    };
    const auto& workers = *context->device()->tensorflow_cpu_worker_threads();
    const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(workers.num_threads, count / 256));
    tensorflow::Shard(workers.num_threads, workers.workers, parts, (count / parts + 1) * dim * 20,
                      [&](int64_t begin, int64_t end) {
                        for (int64_t part = begin; part < end; ++part) update(part, parts);
                      });
  }
};

REGISTER_OP("DcrnnRowWiseAdam")
    .Input("table: resource")
    .Input("momentum: resource")
    .Input("velocity: resource")
    .Input("rows: int32")
    .Input("gradients: float")
    .Input("rate: float")
    .Input("beta_1: float")
    .Input("beta_2: float")
    .Input("epsilon: float")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

REGISTER_KERNEL_BUILDER(Name("DcrnnRowWiseAdam").Device(tensorflow::DEVICE_CPU), RowWiseAdamOp);

}  // namespace
}  // namespace dcrnn_tf
