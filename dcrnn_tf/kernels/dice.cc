// Dice, the activation of DIN, in training: `s (alpha + (1 - alpha) p)` with
// `p = sigmoid(z), z = (s - mean) / sqrt(variance + epsilon)`, where mean and variance are those of
// the rows that count; and its gradient, which goes through both. Each takes few passes over s.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "activations.h"
#include "operation.h"
#include "row_blocks.h"

namespace dcrnn_tf {
namespace {

constexpr int64_t kSumCycles = 1, kGateCycles = 8;  // that one value takes

FOR_EACH_PROCESSOR
void AddRow(const float* __restrict row, int64_t units, float* __restrict sum) {
  for (int64_t i = 0; i < units; ++i) sum[i] += row[i];
}

FOR_EACH_PROCESSOR
void AddSquares(const float* __restrict row, const float* __restrict mean, int64_t units,
                float* __restrict sum) {
  for (int64_t i = 0; i < units; ++i) {
    const float centred = row[i] - mean[i];
    sum[i] += centred * centred;
  }
}

FOR_EACH_PROCESSOR
void Activate(const float* __restrict row, const float* __restrict mean,
              const float* __restrict inverse, const float* __restrict alpha, int64_t units,
              float* __restrict output) {
  for (int64_t i = 0; i < units; ++i) {
    const float p = Sigmoid((row[i] - mean[i]) * inverse[i]);
    output[i] = row[i] * (p + (1.0f - p) * alpha[i]);
  }
}

// What a row's gradient is without the ways through mean and variance, and the sums over rows that
// these take: of the gradients by z, and of these times z.
FOR_EACH_PROCESSOR
void Gradient(const float* __restrict upstream, const float* __restrict row,
              const float* __restrict mean, const float* __restrict inverse,
              const float* __restrict alpha, int64_t units, float* __restrict by_row,
              float* __restrict by_z_sum, float* __restrict by_z_times_z_sum,
              float* __restrict by_alpha_sum) {
  for (int64_t i = 0; i < units; ++i) {
    const float z = (row[i] - mean[i]) * inverse[i];
    const float p = Sigmoid(z), rest = 1.0f - p, both = upstream[i] * row[i];
    const float by_z = both * (1.0f - alpha[i]) * p * rest;
    by_row[i] = upstream[i] * (p + rest * alpha[i]) + inverse[i] * by_z;
    by_z_sum[i] += by_z;
    by_z_times_z_sum[i] += by_z * z;
    by_alpha_sum[i] += both * rest;
  }
}

FOR_EACH_PROCESSOR
void SubtractShare(const float* __restrict row, const float* __restrict mean,
                   const float* __restrict inverse, const float* __restrict by_mean,
                   const float* __restrict by_z, int64_t units, float* __restrict by_row) {
  for (int64_t i = 0; i < units; ++i) {
    by_row[i] -= by_mean[i] + by_z[i] * ((row[i] - mean[i]) * inverse[i]);
  }
}

// The rows that count among those of a block, and all of them.
struct Counted {
  explicit Counted(const Tensor& tensor) : flags(tensor.flat<bool>()) {
    for (int64_t row = 0; row < flags.size(); ++row) count += flags(row);
  }

  tensorflow::TTypes<bool>::ConstFlat flags;
  int64_t count = 0;
};

std::vector<float> Inverse(const float* variance, int64_t units, float epsilon) {
  std::vector<float> inverse(units);
  for (int64_t i = 0; i < units; ++i) inverse[i] = 1.0f / std::sqrt(variance[i] + epsilon);
  return inverse;
}

absl::Status Check(const Tensor& values, const Tensor& alpha, const Tensor& counted) {
  if (values.dims() != 2) return InvalidArgument("values must be (rows, units)");
  if (alpha.shape() != TensorShape({values.dim_size(1)})) {
    return InvalidArgument("alpha must have a number for each unit");
  }
  if (counted.shape() != TensorShape({values.dim_size(0)})) {
    return InvalidArgument("counted must have a flag for each row");
  }
  return absl::OkStatus();
}

class DiceOp : public OpKernel {
 public:
  explicit DiceOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor &values = context->input(0), &alpha = context->input(1);
    OP_REQUIRES_OK(context, Check(values, alpha, context->input(2)));
    const int64_t rows = values.dim_size(0), units = values.dim_size(1);
    Tensor *outputs = nullptr, *mean = nullptr, *variance = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, values.shape(), &outputs));
    OP_REQUIRES_OK(context, context->allocate_output(1, alpha.shape(), &mean));
    OP_REQUIRES_OK(context, context->allocate_output(2, alpha.shape(), &variance));
    const Counted counted(context->input(2));
    const float* const from = values.flat<float>().data();
    float* const means = mean->flat<float>().data();
    float* const variances = variance->flat<float>().data();
    const float share = counted.count ? 1.0f / counted.count : 0.0f;

    const auto average = [&](auto add, float* total) {
      ColumnSums sums(rows, units);
      ForEachBlock(context, 1, rows, units * kSumCycles,
                   [&](int64_t, int64_t block, int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                       if (counted.flags(row)) add(from + row * units, sums.block(block));
                     }
                   });
      sums.Total(total);
      for (int64_t i = 0; i < units; ++i) total[i] *= share;
    };
    average([&](const float* row, float* sum) { AddRow(row, units, sum); }, means);
    average([&](const float* row, float* sum) { AddSquares(row, means, units, sum); }, variances);
    const std::vector<float> inverse = Inverse(variances, units, epsilon_);
    const float* const alphas = alpha.flat<float>().data();
    float* const to = outputs->flat<float>().data();
    ForEachBlock(context, 1, rows, units * kGateCycles,
                 [&](int64_t, int64_t, int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     Activate(from + row * units, means, inverse.data(), alphas, units,
                              to + row * units);
                   }
                 });
  }

 private:
  float epsilon_;
};

class DiceGradientOp : public OpKernel {
 public:
  explicit DiceGradientOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor &upstream = context->input(0), &values = context->input(1);
    const Tensor &alpha = context->input(2), &mean = context->input(4);
    const Tensor& variance = context->input(5);
    OP_REQUIRES_OK(context, Check(values, alpha, context->input(3)));
    OP_REQUIRES(context,
                upstream.shape() == values.shape() && mean.shape() == alpha.shape() &&
                    variance.shape() == alpha.shape(),
                InvalidArgument("upstream, mean and variance must have the shapes of the outputs"));
    const int64_t rows = values.dim_size(0), units = values.dim_size(1);
    Tensor *by_values = nullptr, *by_alpha = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, values.shape(), &by_values));
    OP_REQUIRES_OK(context, context->allocate_output(1, alpha.shape(), &by_alpha));
    const Counted counted(context->input(3));
    const float* const upstreams = upstream.flat<float>().data();
    const float* const from = values.flat<float>().data();
    const float* const means = mean.flat<float>().data();
    const float* const alphas = alpha.flat<float>().data();
    const std::vector<float> inverse =
        Inverse(variance.flat<float>().data(), units, epsilon_);
    float* const to = by_values->flat<float>().data();
    ColumnSums z_sums(rows, units), z_times_z_sums(rows, units), alpha_sums(rows, units);
    ForEachBlock(context, 1, rows, units * kGateCycles,
                 [&](int64_t, int64_t block, int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     Gradient(upstreams + row * units, from + row * units, means, inverse.data(),
                              alphas, units, to + row * units, z_sums.block(block),
                              z_times_z_sums.block(block), alpha_sums.block(block));
                   }
                 });
    alpha_sums.Total(by_alpha->flat<float>().data());
    const float share = counted.count ? 1.0f / counted.count : 0.0f;
    std::vector<float> by_mean(units), by_z(units);
    z_sums.Total(by_mean.data());
    z_times_z_sums.Total(by_z.data());
    for (int64_t i = 0; i < units; ++i) {
      by_mean[i] *= share * inverse[i];
      by_z[i] *= share * inverse[i];
    }
    ForEachBlock(context, 1, rows, units * kSumCycles,
                 [&](int64_t, int64_t, int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     if (counted.flags(row)) {
                       SubtractShare(from + row * units, means, inverse.data(), by_mean.data(),
                                     by_z.data(), units, to + row * units);
                     }
                   }
                 });
  }

 private:
  float epsilon_;
};

REGISTER_OP("DcrnnDice")
    .Input("values: float")
    .Input("alpha: float")
    .Input("counted: bool")
    .Attr("epsilon: float")
    .Output("outputs: float")
    .Output("mean: float")
    .Output("variance: float")
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->input(0));
      context->set_output(1, context->input(1));
      context->set_output(2, context->input(1));
      return absl::OkStatus();
    });

REGISTER_OP("DcrnnDiceGradient")
    .Input("upstream: float")
    .Input("values: float")
    .Input("alpha: float")
    .Input("counted: bool")
    .Input("mean: float")
    .Input("variance: float")
    .Attr("epsilon: float")
    .Output("by_values: float")
    .Output("by_alpha: float")
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->input(1));
      context->set_output(1, context->input(2));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("DcrnnDice").Device(tensorflow::DEVICE_CPU), DiceOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnDiceGradient").Device(tensorflow::DEVICE_CPU), DiceGradientOp);

}  // namespace
}  // namespace dcrnn_tf
