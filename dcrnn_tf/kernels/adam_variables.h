// A table and Adam's moments of it, as an operation's inputs.

#ifndef DCRNN_TF_KERNELS_ADAM_VARIABLES_H_
#define DCRNN_TF_KERNELS_ADAM_VARIABLES_H_

#include <cstdint>
#include <optional>

#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/kernels/training_op_helpers.h"

namespace dcrnn_tf {

// A variable, and the lock that keeps others from it as long as this lives.
class LockedVariable {
 public:
  // Takes the variable whose handle is the operation's input of this number.
  template <typename Number>
  absl::Status Open(tensorflow::OpKernelContext* context, int input) {
    TF_RETURN_IF_ERROR(tensorflow::LookupResource(
        context, tensorflow::HandleFromInput(context, input), &variable_));
    // From now on those who read the whole variable get a copy, which no write can change.
    TF_RETURN_IF_ERROR((tensorflow::EnsureSparseVariableAccess<Eigen::ThreadPoolDevice, Number>(
        context, variable_.get())));
    lock_.emplace(*variable_->mu());
    return absl::OkStatus();
  }

  tensorflow::Tensor& tensor() { return *variable_->tensor(); }

 private:
  tensorflow::core::RefCountPtr<tensorflow::Var> variable_;  // outlives the lock
  std::optional<tensorflow::mutex_lock> lock_;
};

// The operation's first three inputs: weights, first and second moments, `(height, dim)` each.
class AdamVariables {
 public:
  absl::Status Open(tensorflow::OpKernelContext* context) {
    for (int i = 0; i < 3; ++i) {  // always in this order, or two operations could wait in a ring
      TF_RETURN_IF_ERROR(variables_[i].Open<float>(context, i));
    }
    const tensorflow::TensorShape& shape = variables_[0].tensor().shape();
    if (shape.dims() != 2 || variables_[1].tensor().shape() != shape ||
        variables_[2].tensor().shape() != shape) {
      return tensorflow::errors::InvalidArgument("table and moments must have one shape");
    }
    return absl::OkStatus();
  }

  int64_t height() { return variables_[0].tensor().dim_size(0); }
  int64_t dim() { return variables_[0].tensor().dim_size(1); }
  float* weights() { return data(0); }
  float* momentums() { return data(1); }
  float* velocities() { return data(2); }

  // The row numbers, every one of them in the table.
  absl::Status CheckRows(const tensorflow::Tensor& rows) {
    if (rows.dims() != 1 || rows.NumElements() >= (int64_t{1} << 31)) {
      return tensorflow::errors::InvalidArgument("rows must be one list of less than 2 ** 31");
    }
    const int64_t count = rows.NumElements(), end = height();
    const int32_t* row = rows.flat<int32_t>().data();
    for (int64_t i = 0; i < count; ++i) {
      if (row[i] < 0 || row[i] >= end) {
        return tensorflow::errors::InvalidArgument("row ", row[i], " is not in [0, ", end, ")");
      }
    }
    return absl::OkStatus();
  }

 private:
  float* data(int number) { return variables_[number].tensor().flat<float>().data(); }

  LockedVariable variables_[3];
};

}  // namespace dcrnn_tf

#endif  // DCRNN_TF_KERNELS_ADAM_VARIABLES_H_
