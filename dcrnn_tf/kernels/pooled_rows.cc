// Means of a table's rows over lists of ids, and their gradient with every row once. The sums are
// those of TensorFlow's SparseSegmentMean and its gradient, term by term, so that the results agree
// to the bit; but nothing of the size of all ids times the width of the table is ever made.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <cstdint>
#include <vector>

#include "operation.h"
#include "own_rows.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/util/work_sharder.h"

namespace dcrnn_tf {
namespace {

using tensorflow::OpInputList;
using tensorflow::Var;
using tensorflow::core::RefCountPtr;

constexpr int32_t kPadding = 0;
constexpr int64_t kBlock = 8;  // rows that are summed before they are added to a longer sum

// The rows of the table that one list of ids names: those of its ids, or that of the empty list.
void ListRows(const int32_t* ids, int64_t width, int32_t offset, std::vector<int32_t>* rows) {
  rows->clear();
  for (int64_t i = 0; i < width; ++i) {
    if (ids[i] != kPadding) rows->push_back(ids[i] + offset);
  }
  if (rows->empty()) rows->push_back(kPadding + offset);
}

FOR_EACH_PROCESSOR
void Add(const float* __restrict more, int64_t dim, float* __restrict sum) {
  for (int64_t i = 0; i < dim; ++i) sum[i] += more[i];
}

FOR_EACH_PROCESSOR
void Divide(float by, int64_t dim, float* __restrict sum) {
  for (int64_t i = 0; i < dim; ++i) sum[i] /= by;
}

FOR_EACH_PROCESSOR
void AddScaled(const float* __restrict more, float scale, int64_t dim, float* __restrict sum) {
  for (int64_t i = 0; i < dim; ++i) sum[i] += more[i] * scale;
}

FOR_EACH_PROCESSOR
void Scale(const float* from, float scale, int64_t dim, float* to) {
  for (int64_t i = 0; i < dim; ++i) to[i] = from[i] * scale;
}

// The mean of rows: a first block of 2 to 9, then blocks of 8, each summed by itself.
void Mean(const float* table, const std::vector<int32_t>& rows, int64_t dim, float* block,
          float* mean) {
  const int64_t count = rows.size();
  auto sum = [&](int64_t begin, int64_t end, float* to) {
    for (int64_t i = end; i < std::min(end + kBlock, count); ++i) {
      Fetch(table + rows[i] * dim, dim, false);
    }
    const float* first = table + rows[begin] * dim;
    std::copy(first, first + dim, to);
    for (int64_t i = begin + 1; i < end; ++i) Add(table + rows[i] * dim, dim, to);
  };
  const int64_t rest = count % kBlock;
  int64_t done = count == 1 ? 1 : rest < 2 ? rest + kBlock : rest;
  sum(0, done, mean);
  for (; done < count; done += kBlock) {
    sum(done, done + kBlock, block);
    Add(block, dim, mean);
  }
  count < 2 + kBlock ? Scale(mean, 1.0f / count, dim, mean) : Divide(count, dim, mean);
}

// The lists of a batch: one of each field for each of its rows.
class Lists {
 public:
  Lists(const OpInputList& ids, const std::vector<int64_t>& offsets) : ids_(ids) {
    offsets_.assign(offsets.begin(), offsets.end());
  }

  bool Valid() const {
    if (ids_.size() == 0 || offsets_.size() != static_cast<size_t>(ids_.size())) return false;
    for (const Tensor& of : ids_) {
      if (of.dims() != 2 || of.dim_size(0) != ids_[0].dim_size(0)) return false;
    }
    return true;
  }

  int64_t rows() const { return ids_[0].dim_size(0); }
  int64_t fields() const { return ids_.size(); }

  int64_t width() const {
    int64_t width = 0;
    for (const Tensor& of : ids_) width += of.dim_size(1) + 1;
    return width;
  }

  void Get(int64_t row, int64_t field, std::vector<int32_t>* rows) const {
    const int64_t width = ids_[field].dim_size(1);
    ListRows(ids_[field].flat<int32_t>().data() + row * width, width, offsets_[field], rows);
  }

 private:
  OpInputList ids_;
  std::vector<int32_t> offsets_;
};

class PooledRowsOp : public OpKernel {
 public:
  explicit PooledRowsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("offsets", &offsets_));
  }

  void Compute(OpKernelContext* context) override {
    RefCountPtr<Var> variable;
    OP_REQUIRES_OK(context, LookupResource(context, tensorflow::HandleFromInput(context, 0),
                                           &variable));
    OpInputList ids;
    OP_REQUIRES_OK(context, context->input_list("ids", &ids));
    const Lists lists(ids, offsets_);
    tensorflow::tf_shared_lock lock(*variable->mu());
    const Tensor& table = *variable->tensor();
    OP_REQUIRES(context, lists.Valid() && table.dims() == 2,
                InvalidArgument("ids must be matrices with one row for each example"));
    const int64_t height = table.dim_size(0), dim = table.dim_size(1);
    Tensor* pooled = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, TensorShape({lists.rows(), lists.fields(), dim}), &pooled));
    const float* from = table.flat<float>().data();
    float* to = pooled->flat<float>().data();
    std::vector<int32_t> strangers(lists.rows(), 0);  // for each example a row outside the table

    auto pool = [&](int64_t begin, int64_t end) {
      std::vector<int32_t> rows;
      std::vector<float> block(dim);
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t field = 0; field < lists.fields(); ++field) {
          lists.Get(row, field, &rows);
          const auto extremes = std::minmax_element(rows.begin(), rows.end());
          if (*extremes.first < 0 || *extremes.second >= height) {
            strangers[row] = *extremes.first < 0 ? *extremes.first : *extremes.second;
            break;
          }
          Mean(from, rows, dim, block.data(), to + (row * lists.fields() + field) * dim);
        }
      }
    };
    const auto& workers = *context->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(workers.num_threads, workers.workers, lists.rows(),
                      lists.width() * (dim + 8), pool);
    for (int32_t row : strangers) {
      OP_REQUIRES(context, row == 0,
                  InvalidArgument("row ", row, " is not in [0, ", height, ")"));
    }
  }

 private:
  std::vector<int64_t> offsets_;
};

class PooledRowsGradientOp : public OpKernel {
 public:
  explicit PooledRowsGradientOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("offsets", &offsets_));
  }

  void Compute(OpKernelContext* context) override {
    OpInputList ids;
    OP_REQUIRES_OK(context, context->input_list("ids", &ids));
    const Lists lists(ids, offsets_);
    const Tensor& upstream = context->input(ids.size());
    OP_REQUIRES(context,
                lists.Valid() && upstream.dims() == 3 && upstream.dim_size(0) == lists.rows() &&
                    upstream.dim_size(1) == lists.fields(),
                InvalidArgument("the gradient must have one row for each example and list"));
    const int64_t dim = upstream.dim_size(2);
    std::vector<int32_t> rows, segments, list;
    std::vector<float> scales;
    for (int64_t row = 0; row < lists.rows(); ++row) {
      for (int64_t field = 0; field < lists.fields(); ++field) {
        lists.Get(row, field, &list);
        rows.insert(rows.end(), list.begin(), list.end());
        segments.insert(segments.end(), list.size(), scales.size());
        scales.push_back(1.0 / list.size());
      }
    }

    const int64_t count = rows.size();
    const int64_t parts = Parts(context, count);
    std::vector<OwnRows> own(parts);
    ForEachPart(context, count, 20, [&](int64_t part, int64_t parts) {
      own[part] = OwnRows(rows.data(), count, part, parts);
    });
    std::vector<int64_t> starts(parts + 1, 0);
    for (int64_t part = 0; part < parts; ++part) starts[part + 1] = starts[part] + own[part].size();

    Tensor *distinct = nullptr, *gradients = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({starts[parts]}), &distinct));
    OP_REQUIRES_OK(context,
                   context->allocate_output(1, TensorShape({starts[parts], dim}), &gradients));
    int32_t* to_row = distinct->flat<int32_t>().data();
    float* to = gradients->flat<float>().data();
    const float* from = upstream.flat<float>().data();
    ForEachPart(context, count, dim, [&](int64_t part, int64_t parts) {
      for (int64_t i = 0; i < own[part].size(); ++i) to_row[starts[part] + i] = own[part].row(i);
      const std::vector<OwnRows::Use>& uses = own[part].uses();
      float* const sums = to + starts[part] * dim;
      int64_t begun = 0;  // rows come up for the first time in their order
      for (size_t i = 0; i < uses.size(); ++i) {
        if (i + kAhead < uses.size()) Fetch(sums + uses[i + kAhead].place * dim, dim, true);
        const int64_t segment = segments[uses[i].slice];
        const float* upstream_row = from + segment * dim;
        float* const sum = sums + uses[i].place * dim;
        if (uses[i].place == begun) {
          Scale(upstream_row, scales[segment], dim, sum);
          ++begun;
        } else {
          AddScaled(upstream_row, scales[segment], dim, sum);
        }
      }
    });
  }

 private:
  std::vector<int64_t> offsets_;
};

REGISTER_OP("DcrnnPooledRows")
    .Input("table: resource")
    .Input("ids: N * int32")
    .Attr("N: int >= 1")
    .Attr("offsets: list(int)")
    .Output("pooled: float")
    .SetIsStateful()
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* context) {
      int fields;
      TF_RETURN_IF_ERROR(context->GetAttr("N", &fields));
      context->set_output(0, context->MakeShape({context->Dim(context->input(1), 0),
                                                 context->MakeDim(fields), context->UnknownDim()}));
      return absl::OkStatus();
    });

REGISTER_OP("DcrnnPooledRowsGradient")
    .Input("ids: N * int32")
    .Input("upstream: float")
    .Attr("N: int >= 1")
    .Attr("offsets: list(int)")
    .Output("rows: int32")
    .Output("gradients: float")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* context) {
      int fields;
      TF_RETURN_IF_ERROR(context->GetAttr("N", &fields));
      const auto count = context->UnknownDim();
      context->set_output(0, context->MakeShape({count}));
      context->set_output(1, context->MakeShape({count, context->Dim(context->input(fields), 2)}));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("DcrnnPooledRows").Device(tensorflow::DEVICE_CPU), PooledRowsOp);
REGISTER_KERNEL_BUILDER(Name("DcrnnPooledRowsGradient").Device(tensorflow::DEVICE_CPU),
                        PooledRowsGradientOp);

}  // namespace
}  // namespace dcrnn_tf
