// What Adam would have done to rows in the steps in which no batch read them, as `DeferredAdam` has
// it in TensorFlow's operations, in one pass over the rows. Powers are computed once for a row, in
// double precision: results agree with TensorFlow's to rounding.

#define EIGEN_USE_THREADS

#include <cmath>
#include <cstdint>

#include "adam_variables.h"
#include "operation.h"
#include "own_rows.h"

namespace dcrnn_tf {
namespace {

FOR_EACH_PROCESSOR
void Move(const float* __restrict sums, int64_t terms, float epsilon, float decay_m, float decay_v,
          int64_t dim, float* __restrict w, float* __restrict m, float* __restrict v) {
  for (int64_t i = 0; i < dim; ++i) {
    const float root = std::sqrt(v[i]);
    const float share = root / (root + epsilon);
    float total = sums[terms - 1];
    for (int64_t j = terms - 2; j >= 0; --j) total = total * share + sums[j];
    w[i] -= m[i] / (root + epsilon) * total;
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
    LockedVariable sums_of_steps;
    OP_REQUIRES_OK(context, sums_of_steps.Open<float>(context, 4));
    const Tensor& rows = context->input(5);
    const Tensor& sums = sums_of_steps.tensor();
    OP_REQUIRES_OK(context, table.CheckRows(rows));
    OP_REQUIRES(context, last_steps.tensor().NumElements() == table.height(),
                InvalidArgument("there must be one last step for each row of the table"));
    OP_REQUIRES(context, sums.dims() == 2 && sums.dim_size(0) > 0 && sums.dim_size(1) > 0,
                InvalidArgument("sums must be (steps, terms)"));
    const int64_t count = rows.NumElements(), dim = table.dim();
    const int32_t* row = rows.flat<int32_t>().data();
    const int32_t step = context->input(6).scalar<int32_t>()();
    const double beta_1 = context->input(7).scalar<double>()();
    const double beta_2 = context->input(8).scalar<double>()();
    const float epsilon = context->input(9).scalar<float>()();
    const int64_t steps = sums.dim_size(0), terms = sums.dim_size(1);
    const float* sums_since = sums.flat<float>().data();
    float* w = table.weights();
    float* m = table.momentums();
    float* v = table.velocities();
    int32_t* last = last_steps.tensor().flat<int32_t>().data();

    ForEachPart(context, count, dim * 20, [&](int64_t part, int64_t parts) {
      const OwnRows own(row, count, part, parts);
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
        Move(sums_since + last[at] % steps * terms, terms, epsilon, decay, std::pow(beta_2, missed),
             dim, w + at * dim, m + at * dim, v + at * dim);
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
    .Input("sums: resource")
    .Input("rows: int32")
    .Input("step: int32")
    .Input("beta_1: double")
    .Input("beta_2: double")
    .Input("epsilon: float")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

REGISTER_KERNEL_BUILDER(Name("DcrnnCatchUp").Device(tensorflow::DEVICE_CPU), CatchUpOp);

}  // namespace
}  // namespace dcrnn_tf
