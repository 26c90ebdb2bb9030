// The sigmoid and the hyperbolic tangent, in a form that compilers vectorise: the approximations of
// Eigen, which TensorFlow's operations are made of, step by step.

#ifndef DCRNN_TF_KERNELS_ACTIVATIONS_H_
#define DCRNN_TF_KERNELS_ACTIVATIONS_H_

#include <cmath>
#include <cstdint>
#include <cstring>

namespace dcrnn_tf {

// exp(x) / (1 + exp(x)), where exp(x) = (2^m exp(r))^2 with x / 2 = m ln(2) + r.
inline __attribute__((always_inline)) float Sigmoid(float input) {
  constexpr float kOneFrom = 16.6355324f, kZeroBelow = -104.0f;
  const float x = 0.5f * (input > kOneFrom ? kOneFrom : input);
  const float m = __builtin_floorf(x * 1.44269504088896341f + 0.5f);
  float r = m * -0.693359375f + x;  // ln(2) in two parts
  r = m * 2.12194440e-4f + r;
  const float r2 = r * r;
  const float even = r2 * 4.1898667812347412109375e-2f + 0.49999141693115234375f;
  const float odd = r2 * 8.33471305668354034423828125e-3f + 0.16666877269744873046875f;
  float e = r2 * (r * odd + even) + (r + 1.0f);
  const int32_t bits = (static_cast<int32_t>(m) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof(power));
  e *= power;
  e *= e;
  return input < kZeroBelow ? 0.0f : e / (1.0f + e);
}

// A quotient of two polynomials.
inline __attribute__((always_inline)) float Tanh(float input) {
  constexpr float kOneFrom = 7.90738964080810547f;
  float x = input > kOneFrom ? kOneFrom : input;
  x = x < -kOneFrom ? -kOneFrom : x;
  const float x2 = x * x;
  const float x3 = x2 * x;
  float p = 1.394553628e-8f * x2 + 2.102733560e-5f;
  p = p * x2 + 3.520756727e-3f;
  p = p * x2 + 1.340216100e-1f;
  float q = 8.015776984e-7f * x2 + 3.326951409e-4f;
  q = q * x2 + 2.597254514e-2f;
  q = q * x2 + 4.673548340e-1f;
  q = q * x2 + 1.0f;
  return (x3 * p + x) / q;
}

}  // namespace dcrnn_tf

#endif  // DCRNN_TF_KERNELS_ACTIVATIONS_H_
