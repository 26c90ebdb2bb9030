// A step of recurrent networks side by side, in one pass over what it reads: sums of the products,
// gates, new states; and its gradient. Inputs lie as the product with all networks' kernels leaves
// them, (batch, networks, gates, units), states and recurrent products network by network,
// (networks, batch, ...). The first step gets empty tensors for what there is not yet.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <cstdint>
#include <vector>

#include "operation.h"
#include "recurrent_cells.h"
#include "row_blocks.h"

namespace dcrnn_tf {
namespace {

constexpr int64_t kCycles = 12;  // that one unit of a gate takes

FOR_EACH_PROCESSOR
void Add(const float* __restrict more, int64_t count, float* __restrict sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += more[i];
}

// The sizes that all of a step's tensors have in common.
struct Sizes {
  int64_t networks, batch, units;

  TensorShape PerNetwork(int64_t vectors) const {
    return TensorShape({networks, batch, vectors * units});
  }
};

absl::Status CheckShape(const Tensor& tensor, const TensorShape& shape, bool may_be_empty,
                        const char* name) {
  if (tensor.shape() == shape || (may_be_empty && tensor.NumElements() == 0)) {
    return absl::OkStatus();
  }
  return InvalidArgument(name, " must have the shape ", shape.DebugString(), ", it has ",
                         tensor.shape().DebugString());
}

template <typename Cell>
class RecurrentStepOp : public OpKernel {
 public:
  explicit RecurrentStepOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("networks", &networks_));
    OP_REQUIRES_OK(context, context->GetAttr("first", &first_));
  }

  void Compute(OpKernelContext* context) override {
    constexpr int64_t kGates = Cell::kGates;
    const Tensor &input = context->input(0), &offset = context->input(1);
    const Tensor &recurrent = context->input(2), &recurrent_offset = context->input(3);
    const Tensor& before = context->input(4);
    OP_REQUIRES(context,
                input.dims() == 2 && input.dim_size(1) % (networks_ * kGates) == 0,
                InvalidArgument("inputs must be (batch, networks * gates * units)"));
    const int64_t width = input.dim_size(1);
    const Sizes sizes{networks_, input.dim_size(0), width / (networks_ * kGates)};
    const bool first = first_;
    OP_REQUIRES_OK(context, CheckShape(offset, TensorShape({width}), false, "offset"));
    OP_REQUIRES_OK(context, CheckShape(recurrent_offset, TensorShape({width}),
                                       !Cell::kHasRecurrentOffset, "recurrent_offset"));
    OP_REQUIRES_OK(context, CheckShape(before, sizes.PerNetwork(1), first, "before"));
    OP_REQUIRES_OK(context, CheckShape(recurrent, sizes.PerNetwork(kGates), first, "recurrent"));
    Tensor *hidden = nullptr, *state = nullptr, *kept = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, sizes.PerNetwork(1), &hidden));
    if (Cell::kStateIsHidden) {
      context->set_output(1, *hidden);
      state = hidden;
    } else {
      OP_REQUIRES_OK(context, context->allocate_output(1, sizes.PerNetwork(1), &state));
    }
    OP_REQUIRES_OK(context, context->allocate_output(2, sizes.PerNetwork(Cell::kKept), &kept));
    if (hidden->NumElements() == 0) return;

    const float* from = input.flat<float>().data();
    const float* offsets = offset.flat<float>().data();
    const float* recurrents = recurrent.flat<float>().data();
    const float* recurrent_offsets = recurrent_offset.flat<float>().data();
    const float* befores = before.flat<float>().data();
    float* hiddens = hidden->flat<float>().data();
    float* states = state->flat<float>().data();
    float* all_kept = kept->flat<float>().data();
    const int64_t units = sizes.units, gates = kGates * units;
    ForEachBlock(
        context, networks_, sizes.batch, gates * kCycles,
        [&](int64_t network, int64_t, int64_t begin, int64_t end) {
          const int64_t at = network * gates;
          for (int64_t row = begin; row < end; ++row) {
            const int64_t own = network * sizes.batch + row;
            Cell::Step(first, units, from + row * width + at, offsets + at,
                       recurrents + (first ? 0 : own * gates), recurrent_offsets + at,
                       befores + (first ? 0 : own * units), hiddens + own * units,
                       states + own * units, all_kept + own * Cell::kKept * units);
          }
        });
  }

 private:
  int64_t networks_;
  bool first_;
};

// `by_later` is the gradient of the inputs by the steps after this one; it is added to.
template <typename Cell>
class RecurrentStepGradientOp : public OpKernel {
 public:
  explicit RecurrentStepGradientOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("first", &first_));
  }

  void Compute(OpKernelContext* context) override {
    constexpr int64_t kGates = Cell::kGates;
    const Tensor &by_hidden = context->input(0), &by_state = context->input(1);
    const Tensor &kept = context->input(2), &before = context->input(3);
    const Tensor &state = context->input(4), &by_later = context->input(5);
    OP_REQUIRES(context, by_hidden.dims() == 3,
                InvalidArgument("by_hidden must be (networks, batch, units)"));
    const Sizes sizes{by_hidden.dim_size(0), by_hidden.dim_size(1), by_hidden.dim_size(2)};
    const int64_t units = sizes.units, gates = kGates * units, width = sizes.networks * gates;
    const bool first = first_, last = by_later.NumElements() == 0;
    const TensorShape of_inputs({sizes.batch, width});
    OP_REQUIRES_OK(context, CheckShape(by_state, sizes.PerNetwork(1), true, "by_state"));
    OP_REQUIRES_OK(context, CheckShape(kept, sizes.PerNetwork(Cell::kKept), false, "kept"));
    OP_REQUIRES_OK(context, CheckShape(before, sizes.PerNetwork(1), first, "before"));
    OP_REQUIRES_OK(context, CheckShape(state, sizes.PerNetwork(1), false, "state"));
    OP_REQUIRES_OK(context, CheckShape(by_later, of_inputs, true, "by_later"));
    Tensor *by_inputs = nullptr, *by_offset = nullptr, *by_recurrent = nullptr;
    Tensor *by_recurrent_offset = nullptr, *by_before = nullptr;
    OP_REQUIRES_OK(context,
                   context->forward_input_or_allocate_output({5}, 0, of_inputs, &by_inputs));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({width}), &by_offset));
    OP_REQUIRES_OK(context,
                   context->allocate_output(2, sizes.PerNetwork(first ? 0 : kGates), &by_recurrent));
    OP_REQUIRES_OK(context,
                   context->allocate_output(
                       3, TensorShape({Cell::kHasRecurrentOffset ? width : 0}),
                       &by_recurrent_offset));
    OP_REQUIRES_OK(context,
                   context->allocate_output(4, sizes.PerNetwork(first ? 0 : 1), &by_before));

    ColumnSums offset_sums(sizes.batch, width);
    ColumnSums recurrent_offset_sums(Cell::kHasRecurrentOffset ? sizes.batch : 0, width);
    const std::vector<float> zeros(units, 0.0f);
    const bool no_state = by_state.NumElements() == 0;
    const float* by_hiddens = by_hidden.flat<float>().data();
    const float* by_states = no_state ? zeros.data() : by_state.flat<float>().data();
    const float* all_kept = kept.flat<float>().data();
    const float* befores = before.flat<float>().data();
    const float* states = state.flat<float>().data();
    const float* later = by_later.flat<float>().data();
    float* inputs = by_inputs->flat<float>().data();
    float* recurrents = by_recurrent->flat<float>().data();
    float* by_befores = by_before->flat<float>().data();
    ForEachBlock(
        context, sizes.networks, sizes.batch, gates * kCycles,
        [&](int64_t network, int64_t block, int64_t begin, int64_t end) {
          const int64_t at = network * gates;
          std::vector<float> own_input(gates), own_recurrent(gates), own_before(units);
          for (int64_t row = begin; row < end; ++row) {
            const int64_t own = network * sizes.batch + row;
            float* recurrent = first ? own_recurrent.data() : recurrents + own * gates;
            Cell::Gradient(first, units, by_hiddens + own * units,
                           by_states + (no_state ? 0 : own * units),
                           all_kept + own * Cell::kKept * units,
                           befores + (first ? 0 : own * units), states + own * units,
                           own_input.data(), recurrent,
                           first ? own_before.data() : by_befores + own * units);
            Add(own_input.data(), gates, offset_sums.block(block) + at);
            if (Cell::kHasRecurrentOffset) {
              Add(recurrent, gates, recurrent_offset_sums.block(block) + at);
            }
            float* const to = inputs + row * width + at;
            if (last) {
              std::copy(own_input.begin(), own_input.end(), to);
            } else {
              Sum(later + row * width + at, own_input.data(), gates, to);
            }
          }
        });
    offset_sums.Total(by_offset->flat<float>().data());
    if (Cell::kHasRecurrentOffset) {
      recurrent_offset_sums.Total(by_recurrent_offset->flat<float>().data());
    }
  }

 private:
  // `to` may be `one`.
  static void Sum(const float* one, const float* other, int64_t count, float* to) {
    for (int64_t i = 0; i < count; ++i) to[i] = one[i] + other[i];
  }

  bool first_;
};

absl::Status UnknownShapes(tensorflow::shape_inference::InferenceContext* context) {
  for (int i = 0; i < context->num_outputs(); ++i) context->set_output(i, context->UnknownShape());
  return absl::OkStatus();
}

#define REGISTER_CELL(NAME, CELL)                                                              \
  REGISTER_OP(NAME "Step")                                                                     \
      .Input("inputs: float")                                                                  \
      .Input("offset: float")                                                                  \
      .Input("recurrent: float")                                                               \
      .Input("recurrent_offset: float")                                                        \
      .Input("before: float")                                                                  \
      .Attr("networks: int >= 1")                                                              \
      .Attr("first: bool")                                                                     \
      .Output("hidden: float")                                                                 \
      .Output("state: float")                                                                  \
      .Output("kept: float")                                                                   \
      .SetShapeFn(UnknownShapes);                                                              \
  REGISTER_OP(NAME "StepGradient")                                                             \
      .Input("by_hidden: float")                                                               \
      .Input("by_state: float")                                                                \
      .Input("kept: float")                                                                    \
      .Input("before: float")                                                                  \
      .Input("state: float")                                                                   \
      .Input("by_later: float")                                                                \
      .Attr("first: bool")                                                                     \
      .Output("by_inputs: float")                                                              \
      .Output("by_offset: float")                                                              \
      .Output("by_recurrent: float")                                                           \
      .Output("by_recurrent_offset: float")                                                    \
      .Output("by_before: float")                                                              \
      .SetShapeFn(UnknownShapes);                                                              \
  REGISTER_KERNEL_BUILDER(Name(NAME "Step").Device(tensorflow::DEVICE_CPU),                    \
                          RecurrentStepOp<CELL>);                                              \
  REGISTER_KERNEL_BUILDER(Name(NAME "StepGradient").Device(tensorflow::DEVICE_CPU),            \
                          RecurrentStepGradientOp<CELL>)

REGISTER_CELL("DcrnnLstm", Lstm);
REGISTER_CELL("DcrnnGru", Gru);

}  // namespace
}  // namespace dcrnn_tf
