// Lazy Adam on the rows of a batch, in one pass: repeated rows are summed in the order in which they
// come, then weights and moments are read and written once. The arithmetic is that of `LazyAdam` in
// TensorFlow's operations, step by step, so that the results agree to the bit.

#define EIGEN_USE_THREADS

#include <cmath>
#include <cstdint>
#include <vector>

#include "adam_variables.h"
#include "operation.h"
#include "own_rows.h"

namespace dcrnn_tf {
namespace {

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
    AdamVariables table;
    OP_REQUIRES_OK(context, table.Open(context));
    const Tensor& rows = context->input(3);
    const Tensor& gradients = context->input(4);
    OP_REQUIRES_OK(context, table.CheckRows(rows));
    const int64_t count = rows.NumElements(), dim = table.dim();
    OP_REQUIRES(context,
                gradients.dims() == 2 && gradients.dim_size(0) == count &&
                    gradients.dim_size(1) == dim,
                tensorflow::errors::InvalidArgument("gradients must have one row for each of rows, "
                                                    "as wide as the table"));
    const int32_t* row = rows.flat<int32_t>().data();
    const Step step{context->input(5).scalar<float>()(), context->input(6).scalar<float>()(),
                    context->input(7).scalar<float>()(), context->input(8).scalar<float>()()};
    float* w = table.weights();
    float* m = table.momentums();
    float* v = table.velocities();
    const float* g = gradients.flat<float>().data();

    ForEachPart(context, count, dim * 20, [&](int64_t part, int64_t parts) {
      const OwnRows own(row, count, part, parts);
      // Where the gradient of each row lies: in its one slice, or in `sums` if it has several.
      std::vector<int64_t> slices(own.size(), kNone), places(own.size(), kNone);
      std::vector<float> sums;
      for (const OwnRows::Use& use : own.uses()) {
        int64_t& slice = slices[use.place];
        int64_t& place = places[use.place];
        const float* more = g + use.slice * dim;
        if (slice == kNone) {
          slice = use.slice;
          continue;
        }
        if (place == kNone) {
          place = sums.size();
          sums.insert(sums.end(), g + slice * dim, g + (slice + 1) * dim);
        }
        Add(more, dim, &sums[place]);
      }
      for (int64_t i = 0; i < own.size(); ++i) {
        if (i + kAhead < own.size()) {
          const int64_t ahead = own.row(i + kAhead) * dim;
          for (const float* of : {w, m, v}) Fetch(of + ahead, dim, true);
        }
        const float* total = places[i] == kNone ? g + slices[i] * dim : &sums[places[i]];
        const int64_t at = own.row(i) * dim;
        Update(step, total, dim, w + at, m + at, v + at);
      }
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
