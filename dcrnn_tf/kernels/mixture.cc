// The mixtures of experts' outputs by gates, and their gradient, in one pass each.

#define EIGEN_USE_THREADS

#include <cstdint>

#include "operation.h"
#include "row_blocks.h"

namespace dcrnn_tf {
namespace {

constexpr int64_t kLanes = 16;  // sums of a product of two vectors: the same on all processors

FOR_EACH_PROCESSOR
void Scale(const float* __restrict from, float scale, int64_t width, float* __restrict to) {
  for (int64_t i = 0; i < width; ++i) to[i] = scale * from[i];
}

FOR_EACH_PROCESSOR
void AddScaled(const float* __restrict more, float scale, int64_t width, float* __restrict sum) {
  for (int64_t i = 0; i < width; ++i) sum[i] += scale * more[i];
}

FOR_EACH_PROCESSOR
float InnerProduct(const float* __restrict one, const float* __restrict other, int64_t width) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += one[i + j] * other[i + j];
  }
  for (int64_t j = 0; i + j < width; ++j) lanes[j] += one[i + j] * other[i + j];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  }
  return lanes[0];
}

// The sizes of gates (batch, tasks, experts) and experts' outputs (experts, batch, width).
struct MixtureSizes {
  int64_t batch, tasks, experts, width;

  absl::Status Read(const Tensor& gates, const Tensor& outputs) {
    if (gates.dims() != 3 || outputs.dims() != 3 || gates.dim_size(0) != outputs.dim_size(1) ||
        gates.dim_size(2) != outputs.dim_size(0) || gates.dim_size(2) == 0) {
      return InvalidArgument("gates must be (batch, tasks, experts) and outputs (experts, batch, "
                             "width), they are ", gates.shape().DebugString(), " and ",
                             outputs.shape().DebugString());
    }
    *this = {gates.dim_size(0), gates.dim_size(1), gates.dim_size(2), outputs.dim_size(2)};
    return absl::OkStatus();
  }
  int64_t output(int64_t expert, int64_t row) const { return (expert * batch + row) * width; }
  int64_t mixture(int64_t task, int64_t row) const { return (task * batch + row) * width; }
  int64_t gate(int64_t row, int64_t task) const { return (row * tasks + task) * experts; }
};

class MixtureOp : public OpKernel {
 public:
  explicit MixtureOp(OpKernelConstruction* context) : OpKernel(context) {}

  void Compute(OpKernelContext* context) override {
    const Tensor &gates = context->input(0), &outputs = context->input(1);
    MixtureSizes of;
    OP_REQUIRES_OK(context, of.Read(gates, outputs));
    Tensor* mixtures = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, TensorShape({of.tasks, of.batch, of.width}), &mixtures));
    const float* gate = gates.flat<float>().data();
    const float* output = outputs.flat<float>().data();
    float* mixture = mixtures->flat<float>().data();
    ForEachBlock(context, 1, of.batch, of.tasks * of.experts * of.width,
                 [&](int64_t, int64_t, int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     for (int64_t task = 0; task < of.tasks; ++task) {
                       const float* shares = gate + of.gate(row, task);
                       float* to = mixture + of.mixture(task, row);
                       Scale(output + of.output(0, row), shares[0], of.width, to);
                       for (int64_t expert = 1; expert < of.experts; ++expert) {
                         AddScaled(output + of.output(expert, row), shares[expert], of.width, to);
                       }
                     }
                   }
                 });
  }
};

class MixtureGradientOp : public OpKernel {
 public:
  explicit MixtureGradientOp(OpKernelConstruction* context) : OpKernel(context) {}

  void Compute(OpKernelContext* context) override {
    const Tensor &upstream = context->input(0), &gates = context->input(1);
    const Tensor& outputs = context->input(2);
    MixtureSizes of;
    OP_REQUIRES_OK(context, of.Read(gates, outputs));
    OP_REQUIRES(context, upstream.shape() == TensorShape({of.tasks, of.batch, of.width}),
                InvalidArgument("the gradient must be (tasks, batch, width)"));
    Tensor *by_gates = nullptr, *by_outputs = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, gates.shape(), &by_gates));
    OP_REQUIRES_OK(context, context->allocate_output(1, outputs.shape(), &by_outputs));
    const float* upstreams = upstream.flat<float>().data();
    const float* gate = gates.flat<float>().data();
    const float* output = outputs.flat<float>().data();
    float* by_gate = by_gates->flat<float>().data();
    float* by_output = by_outputs->flat<float>().data();
    ForEachBlock(context, 1, of.batch, 2 * of.tasks * of.experts * of.width,
                 [&](int64_t, int64_t, int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     for (int64_t expert = 0; expert < of.experts; ++expert) {
                       const int64_t at = of.output(expert, row);
                       for (int64_t task = 0; task < of.tasks; ++task) {
                         const float* by_mixture = upstreams + of.mixture(task, row);
                         const int64_t share = of.gate(row, task) + expert;
                         by_gate[share] = InnerProduct(by_mixture, output + at, of.width);
                         task ? AddScaled(by_mixture, gate[share], of.width, by_output + at)
                              : Scale(by_mixture, gate[share], of.width, by_output + at);
                       }
                     }
                   }
                 });
  }
};

absl::Status SameShapes(InferenceContext* context, int first_input) {
  for (int i = 0; i < context->num_outputs(); ++i) {
    context->set_output(i, context->input(first_input + i));
  }
  return absl::OkStatus();
}

REGISTER_OP("DcrnnMixture")
    .Input("gates: float")
    .Input("outputs: float")
    .Output("mixtures: float")
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });

REGISTER_OP("DcrnnMixtureGradient")
    .Input("upstream: float")
    .Input("gates: float")
    .Input("outputs: float")
    .Output("by_gates: float")
    .Output("by_outputs: float")
    .SetShapeFn([](InferenceContext* context) { return SameShapes(context, 1); });

REGISTER_KERNEL_BUILDER(Name("DcrnnMixture").Device(tensorflow::DEVICE_CPU), MixtureOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnMixtureGradient").Device(tensorflow::DEVICE_CPU),
                        MixtureGradientOp);

}  // namespace
}  // namespace dcrnn_tf
