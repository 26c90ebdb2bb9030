// What Adam would have done to rows in the steps in which no batch read them, as `DeferredAdam` has
// it in TensorFlow's operations, in one pass over the rows. Powers are computed once for a row, in
// double precision: results agree with TensorFlow's to rounding.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "adam_variables.h"
#include "own_rows.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace dcrnn_tf {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::errors::InvalidArgument;

constexpr int64_t kMostTerms = 64;

// `sum_k a(s + k) / lr b1^k (1 - c_k)^j` over the steps missed, for each j.
void MissedSums(const float* from_start, const float* from_now, int64_t terms, double decay,
                double c, float* sums) {
  // After j rounds `later[0]` is `sum_i choose(j, i) (1 - c)^(j - i) c^i from_now[i]`.
  double later[kMostTerms];
  for (int64_t i = 0; i < terms; ++i) later[i] = from_now[i];
  for (int64_t j = 0; j < terms; ++j) {
    sums[j] = from_start[j] - decay * later[0];
    for (int64_t i = 0; i + 1 < terms - j; ++i) later[i] = (1 - c) * later[i] + c * later[i + 1];
  }
}

FOR_EACH_PROCESSOR
void Move(const float* __restrict sums, int64_t terms, float rate, float epsilon, float decay_m,
          float decay_v, int64_t dim, float* __restrict w, float* __restrict m,
          float* __restrict v) {
  for (int64_t i = 0; i < dim; ++i) {
    const float root = std::sqrt(v[i]);
    const float share = root / (root + epsilon);
    float total = sums[terms - 1];
    for (int64_t j = terms - 2; j >= 0; --j) total = total * share + sums[j];
    w[i] -= rate * m[i] / (root + epsilon) * total;
    m[i] *= decay_m;
    v[i] *= decay_v;
  }
}

class CatchUpOp : public OpKernel {
 public:
  explicit CatchUpOp(OpKernelConstruction* context) : OpKernel(context) {}

  void Compute(OpKernelContext* context) override {
    AdamVariables table;
    OP_REQUIRES_OK(context, table.Open(context));
    LockedVariable last_steps;
    OP_REQUIRES_OK(context, last_steps.Open<int32_t>(context, 3));
    const Tensor& rows = context->input(4);
    const Tensor& sums_of_steps = context->input(9);
    OP_REQUIRES_OK(context, table.CheckRows(rows));
    OP_REQUIRES(context, last_steps.tensor().NumElements() == table.height(),
                InvalidArgument("there must be one last step for each row of the table"));
    OP_REQUIRES(context,
                sums_of_steps.dims() == 2 && sums_of_steps.dim_size(0) > 0 &&
                    sums_of_steps.dim_size(1) > 0 && sums_of_steps.dim_size(1) <= kMostTerms,
                InvalidArgument("endless_sums must be (steps, 1 to ", kMostTerms, ")"));
    const int64_t count = rows.NumElements(), dim = table.dim();
    const int32_t* row = rows.flat<int32_t>().data();
    const int32_t step = context->input(5).scalar<int32_t>()();
    const float rate = context->input(6).scalar<float>()();
    const double beta_1 = context->input(7).scalar<double>()();
    const double beta_2 = context->input(8).scalar<double>()();
    const float epsilon = context->input(10).scalar<float>()();
    const int64_t steps = sums_of_steps.dim_size(0), terms = sums_of_steps.dim_size(1);
    const float* endless = sums_of_steps.flat<float>().data();
    const float* from_now = endless + std::min<int64_t>(step, steps - 1) * terms;
    float* w = table.weights();
    float* m = table.momentums();
    float* v = table.velocities();
    int32_t* last = last_steps.tensor().flat<int32_t>().data();

    ForEachPart(context, count, dim * 20, [&](int64_t part, int64_t parts) {
      const OwnRows own(row, count, part, parts);
      std::vector<float> sums(terms);
      for (int64_t i = 0; i < own.size(); ++i) {
        if (i + kAhead < own.size()) {
          const int64_t ahead = own.row(i + kAhead);
          if (last[ahead] < step) {
            for (const float* of : {w, m, v}) Fetch(of + ahead * dim, dim, true);
          }
        }
        const int64_t at = own.row(i);
        const int32_t missed = step - last[at];
        if (missed <= 0) continue;
        const double decay = std::pow(beta_1, missed);
        const double c = std::pow(beta_2, missed / 2.0);
        const float* from_start = endless + std::min<int64_t>(last[at], steps - 1) * terms;
        MissedSums(from_start, from_now, terms, decay, c, sums.data());
        Move(sums.data(), terms, rate, epsilon, decay, c * c, dim, w + at * dim, m + at * dim,
             v + at * dim);
        last[at] = step;
      }
    });
  }
};

REGISTER_OP("DcrnnCatchUp")
    .Input("table: resource")
    .Input("momentum: resource")
    .Input("velocity: resource")
    .Input("last_steps: resource")
    .Input("rows: int32")
    .Input("step: int32")
    .Input("learning_rate: float")
    .Input("beta_1: double")
    .Input("beta_2: double")
    .Input("endless_sums: float")
    .Input("epsilon: float")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

REGISTER_KERNEL_BUILDER(Name("DcrnnCatchUp").Device(tensorflow::DEVICE_CPU), CatchUpOp);

}  // namespace
}  // namespace dcrnn_tf
