// What the attention to lists computes for each of their values, of the rows that ids and examples
// have: a value's row of `ids` is that at its position, its row of `examples` that of its example.
// Nothing is copied for each value but results, and gradients are summed by ids and by examples in
// the order of the values, whatever the number of threads.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <cstdint>

#include "operation.h"
#include "own_rows.h"
#include "tensorflow/core/util/work_sharder.h"

namespace dcrnn_tf {
namespace {

constexpr int64_t kColumns = 16;  // that a thread sums at least, a cache line

// A row of floats for each value: that of its index, or its own.
struct Rows {
  const float* data;
  const int32_t* index;  // null: row i is that of value i

  const float* Of(int64_t i, int64_t dim) const { return data + (index ? index[i] : i) * dim; }
};

FOR_EACH_PROCESSOR
void Multiply(Rows one, Rows other, int64_t dim, int64_t begin, int64_t end,
              float* __restrict to) {
  for (int64_t i = begin; i < end; ++i) {
    const float *a = one.Of(i, dim), *b = other.Of(i, dim);
    for (int64_t c = 0; c < dim; ++c) to[i * dim + c] = a[c] * b[c];
  }
}

FOR_EACH_PROCESSOR
void AddUp(Rows base, Rows one, Rows other, int64_t dim, int64_t begin, int64_t end, float* to) {
  for (int64_t i = begin; i < end; ++i) {
    const float *x = base.Of(i, dim), *a = one.Of(i, dim), *b = other.Of(i, dim);
    float* sum = to + i * dim;
    for (int64_t c = 0; c < dim; ++c) sum[c] = x[c] + a[c] + b[c];
  }
}

FOR_EACH_PROCESSOR
void Dot(Rows one, Rows other, int64_t dim, int64_t begin, int64_t end, float* __restrict to) {
  for (int64_t i = begin; i < end; ++i) {
    const float *a = one.Of(i, dim), *b = other.Of(i, dim);
    float sums[kColumns] = {};
    int64_t c = 0;
    for (; c + kColumns <= dim; c += kColumns) {
      for (int64_t k = 0; k < kColumns; ++k) sums[k] += a[c + k] * b[c + k];
    }
    float sum = 0.0f;
    for (; c < dim; ++c) sum += a[c] * b[c];
    for (int64_t k = 0; k < kColumns; ++k) sum += sums[k];
    to[i] = sum;
  }
}

// What is summed: rows times rows, rows times a number for each value, or rows alone.
struct Terms {
  Rows rows;
  Rows times = {nullptr, nullptr};
  const float* factors = nullptr;
};

// Adds the columns from `first` to `last` of values to the sums that `into` names.
FOR_EACH_PROCESSOR
void Sum(Terms terms, const int32_t* into, int64_t dim, int64_t begin, int64_t end, int64_t first,
         int64_t last, float* __restrict sums) {
  for (int64_t i = begin; i < end; ++i) {
    const float* row = terms.rows.Of(i, dim);
    float* sum = sums + into[i] * dim;
    if (terms.factors) {
      const float factor = terms.factors[i];
      for (int64_t c = first; c < last; ++c) sum[c] += factor * row[c];
    } else if (terms.times.data) {
      const float* times = terms.times.Of(i, dim);
      for (int64_t c = first; c < last; ++c) sum[c] += times[c] * row[c];
    } else {
      for (int64_t c = first; c < last; ++c) sum[c] += row[c];
    }
  }
}

// The values of the lists of a batch.
class Values {
 public:
  // Reads the tensors `position` and `example`, and the numbers of rows that they point to.
  absl::Status Read(OpKernelContext* context, int first_input, int64_t ids, int64_t examples) {
    const Tensor &position = context->input(first_input), &example = context->input(first_input + 1);
    if (position.dims() != 1 || example.shape() != position.shape()) {
      return InvalidArgument("position and example must have a number for each value");
    }
    context_ = context;
    count_ = position.dim_size(0);
    examples_ = examples;
    this->position = position.flat<int32_t>().data();
    this->example = example.flat<int32_t>().data();
    for (int64_t i = 0; i < count_; ++i) {
      const int32_t before = i ? this->example[i - 1] : 0;
      if (this->position[i] < 0 || this->position[i] >= ids || this->example[i] < before ||
          this->example[i] >= examples) {
        return InvalidArgument("value ", i, " has position ", this->position[i], " of ", ids,
                               " and example ", this->example[i], " of ", examples,
                               ", which must ascend");
      }
    }
    return absl::OkStatus();
  }

  int64_t count() const { return count_; }

  // Calls `work(begin, end)` for all values, on all threads; `cost` is that of one, in cycles.
  template <typename Work>
  void ForEach(int64_t cost, Work work) const {
    Shard(count_, cost, work);
  }

  // Sums by id: each thread has columns of its own.
  void SumById(const Terms& terms, int64_t ids, int64_t dim, float* sums) const {
    std::fill(sums, sums + ids * dim, 0.0f);
    const int64_t parts = (dim + kColumns - 1) / kColumns;
    Shard(parts, count_ * kColumns, [&](int64_t begin, int64_t end) {
      Sum(terms, position, dim, 0, count_, begin * kColumns, std::min(end * kColumns, dim), sums);
    });
  }

  // Sums by example: each thread has examples of its own.
  void SumByExample(const Terms& terms, int64_t dim, float* sums) const {
    std::fill(sums, sums + examples_ * dim, 0.0f);
    Shard(examples_, (count_ / std::max<int64_t>(examples_, 1) + 1) * dim,
          [&](int64_t begin, int64_t end) {
            const auto place = [&](int64_t of) {
              return std::lower_bound(example, example + count_, static_cast<int32_t>(of)) - example;
            };
            Sum(terms, example, dim, place(begin), place(end), 0, dim, sums);
          });
  }

  const int32_t* position = nullptr;
  const int32_t* example = nullptr;

 private:
  template <typename Work>
  void Shard(int64_t units, int64_t cost, Work work) const {
    const auto& workers = *context_->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(workers.num_threads, workers.workers, units, cost, work);
  }

  OpKernelContext* context_ = nullptr;
  int64_t count_ = 0, examples_ = 0;
};

absl::Status CheckPair(const Tensor& ids, const Tensor& examples) {
  if (ids.dims() != 2 || examples.dims() != 2 || ids.dim_size(1) != examples.dim_size(1)) {
    return InvalidArgument("ids and examples must be matrices of the same width");
  }
  return absl::OkStatus();
}

const float* Data(const Tensor& tensor) { return tensor.flat<float>().data(); }

// `ids[position] * examples[example]`
class ListProductOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &ids = context->input(0), &examples = context->input(1);
    OP_REQUIRES_OK(context, CheckPair(ids, examples));
    Values values;
    OP_REQUIRES_OK(context, values.Read(context, 2, ids.dim_size(0), examples.dim_size(0)));
    const int64_t dim = ids.dim_size(1);
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, TensorShape({values.count(), dim}), &output));
    float* const to = output->flat<float>().data();
    values.ForEach(dim, [&](int64_t begin, int64_t end) {
      Multiply({Data(ids), values.position}, {Data(examples), values.example}, dim, begin, end, to);
    });
  }
};

// `base + ids[position] + examples[example]`
class ListSumOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &ids = context->input(0), &examples = context->input(1);
    const Tensor& base = context->input(4);
    OP_REQUIRES_OK(context, CheckPair(ids, examples));
    Values values;
    OP_REQUIRES_OK(context, values.Read(context, 2, ids.dim_size(0), examples.dim_size(0)));
    const int64_t dim = ids.dim_size(1);
    OP_REQUIRES(context, base.shape() == TensorShape({values.count(), dim}),
                InvalidArgument("base must have a row for each value"));
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({4}, 0, base.shape(), &output));
    float* const to = output->flat<float>().data();
    values.ForEach(dim, [&](int64_t begin, int64_t end) {
      AddUp({Data(base), nullptr}, {Data(ids), values.position}, {Data(examples), values.example},
            dim, begin, end, to);
    });
  }
};

// The gradients of both by ids and examples; `product` says of which.
class ListGradientOp : public OpKernel {
 public:
  explicit ListGradientOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("product", &product_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor &ids = context->input(0), &examples = context->input(1);
    const Tensor& upstream = context->input(4);
    OP_REQUIRES_OK(context, CheckPair(ids, examples));
    Values values;
    OP_REQUIRES_OK(context, values.Read(context, 2, ids.dim_size(0), examples.dim_size(0)));
    const int64_t dim = ids.dim_size(1);
    OP_REQUIRES(context, upstream.shape() == TensorShape({values.count(), dim}),
                InvalidArgument("upstream must have a row for each value"));
    Tensor *by_ids = nullptr, *by_examples = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, ids.shape(), &by_ids));
    OP_REQUIRES_OK(context, context->allocate_output(1, examples.shape(), &by_examples));
    Terms of_ids{{Data(upstream), nullptr}}, of_examples = of_ids;
    if (product_) {
      of_ids.times = {Data(examples), values.example};
      of_examples.times = {Data(ids), values.position};
    }
    values.SumById(of_ids, ids.dim_size(0), dim, by_ids->flat<float>().data());
    values.SumByExample(of_examples, dim, by_examples->flat<float>().data());
  }

 private:
  bool product_;
};

// `sum of factor * ids[position]` over the values of each example
class ListPoolOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &ids = context->input(0), &factors = context->input(3);
    const Tensor& count = context->input(4);
    OP_REQUIRES(context, ids.dims() == 2 && count.dims() == 0,
                InvalidArgument("ids must be a matrix, and count one number"));
    Values values;
    const int64_t examples = count.scalar<int32_t>()(), dim = ids.dim_size(1);
    OP_REQUIRES_OK(context, values.Read(context, 1, ids.dim_size(0), examples));
    OP_REQUIRES(context, factors.shape() == TensorShape({values.count()}),
                InvalidArgument("factors must have a number for each value"));
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({examples, dim}), &output));
    values.SumByExample({{Data(ids), values.position}, {nullptr, nullptr}, Data(factors)}, dim,
                        output->flat<float>().data());
  }
};

class ListPoolGradientOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &ids = context->input(0), &factors = context->input(3);
    const Tensor& upstream = context->input(4);
    OP_REQUIRES_OK(context, CheckPair(ids, upstream));
    Values values;
    OP_REQUIRES_OK(context, values.Read(context, 1, ids.dim_size(0), upstream.dim_size(0)));
    OP_REQUIRES(context, factors.shape() == TensorShape({values.count()}),
                InvalidArgument("factors must have a number for each value"));
    const int64_t dim = ids.dim_size(1);
    Tensor *by_ids = nullptr, *by_factors = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, ids.shape(), &by_ids));
    OP_REQUIRES_OK(context, context->allocate_output(1, factors.shape(), &by_factors));
    const Rows of_example{Data(upstream), values.example};
    values.SumById({of_example, {nullptr, nullptr}, Data(factors)}, ids.dim_size(0), dim,
                   by_ids->flat<float>().data());
    float* const to = by_factors->flat<float>().data();
    values.ForEach(dim, [&](int64_t begin, int64_t end) {
      Dot(of_example, {Data(ids), values.position}, dim, begin, end, to);
    });
  }
};

absl::Status LikeValues(InferenceContext* context) {
  context->set_output(
      0, context->Matrix(context->Dim(context->input(2), 0), context->Dim(context->input(0), 1)));
  return absl::OkStatus();
}

REGISTER_OP("DcrnnListProduct")
    .Input("ids: float")
    .Input("examples: float")
    .Input("position: int32")
    .Input("example: int32")
    .Output("output: float")
    .SetShapeFn(LikeValues);

REGISTER_OP("DcrnnListSum")
    .Input("ids: float")
    .Input("examples: float")
    .Input("position: int32")
    .Input("example: int32")
    .Input("base: float")
    .Output("output: float")
    .SetShapeFn(LikeValues);

REGISTER_OP("DcrnnListGradient")
    .Input("ids: float")
    .Input("examples: float")
    .Input("position: int32")
    .Input("example: int32")
    .Input("upstream: float")
    .Attr("product: bool")
    .Output("by_ids: float")
    .Output("by_examples: float")
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->input(0));
      context->set_output(1, context->input(1));
      return absl::OkStatus();
    });

REGISTER_OP("DcrnnListPool")
    .Input("ids: float")
    .Input("position: int32")
    .Input("example: int32")
    .Input("factors: float")
    .Input("count: int32")
    .Output("pooled: float")
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->Matrix(InferenceContext::kUnknownDim,
                                             context->Dim(context->input(0), 1)));
      return absl::OkStatus();
    });

REGISTER_OP("DcrnnListPoolGradient")
    .Input("ids: float")
    .Input("position: int32")
    .Input("example: int32")
    .Input("factors: float")
    .Input("upstream: float")
    .Output("by_ids: float")
    .Output("by_factors: float")
    .SetShapeFn([](InferenceContext* context) {
      context->set_output(0, context->input(0));
      context->set_output(1, context->input(3));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("DcrnnListProduct").Device(tensorflow::DEVICE_CPU), ListProductOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnListSum").Device(tensorflow::DEVICE_CPU), ListSumOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnListGradient").Device(tensorflow::DEVICE_CPU), ListGradientOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnListPool").Device(tensorflow::DEVICE_CPU), ListPoolOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnListPoolGradient").Device(tensorflow::DEVICE_CPU),
                        ListPoolGradientOp);

}  // namespace
}  // namespace dcrnn_tf
