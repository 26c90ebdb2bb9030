// What every compiled operation needs of TensorFlow.

#ifndef DCRNN_TF_KERNELS_OPERATION_H_
#define DCRNN_TF_KERNELS_OPERATION_H_

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace dcrnn_tf {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;
using tensorflow::shape_inference::InferenceContext;

}  // namespace dcrnn_tf

#endif  // DCRNN_TF_KERNELS_OPERATION_H_
